"""Peak memory of one measurement in one chunk, each in its own process.

python benchmarks/memory.py FOLDER
"""

import re
import sys
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import torch
from entrants import arpack, sharpest
from problems import PROBLEMS

from sharpest.pipeline.job import tune_allocator

ENTRANTS = {"sharpest": sharpest, "curvlinops": arpack(1e-3)}


def peak_megabytes(problem: str, entrant: str) -> float:
    """Growth of the process, in MiB; Linux only."""
    tune_allocator()
    torch.set_num_threads(1)
    posed = PROBLEMS[problem]()
    theta = posed.model.initial()
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    before = _kilobytes("VmHWM")
    ENTRANTS[entrant](posed, theta)
    return (_kilobytes("VmHWM") - before) / 1024


def _kilobytes(field: str) -> int:
    match = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1])


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    cases = [(problem, entrant) for problem in PROBLEMS for entrant in ENTRANTS]
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        peaks = pool.starmap(peak_megabytes, cases, chunksize=1)
    table = pd.DataFrame(cases, columns=["problem", "entrant"]).assign(MiB=peaks)
    table.to_csv(folder / "memory.csv", index=False, float_format="%.4g")
    print(table.to_string())


if __name__ == "__main__":
    main()
