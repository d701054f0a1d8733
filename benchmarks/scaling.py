"""Cost of measuring the leading eigenpairs of SimpleCNN against N, K and p, varied one at a time.

python benchmarks/scaling.py FOLDER
"""

import sys
import time
from pathlib import Path
from statistics import median

import pandas as pd
import torch
from entrants import K, sharpest
from problems import simple_cnn

from sharpest.pipeline.job import tune_allocator

EXAMPLES = (16, 32, 64, 128, 256)
PAIRS = (1, 2, 5, 10, 20)
WIDTHS = (8, 16, 32, 64)
COUNT, WIDTH = 32, 32
REPEATS = 3


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    tune_allocator()
    torch.set_num_threads(1)
    cases = [
        *(("N", count, WIDTH, count, K) for count in EXAMPLES),
        *(("K", k, WIDTH, COUNT, k) for k in PAIRS),
        *(("p", None, width, COUNT, K) for width in WIDTHS),
    ]
    times: dict[int, list[float]] = {number: [] for number in range(len(cases))}
    rows = []
    late = {width: simple_cnn(width).trajectory(2)[1] for width in {width for _, _, width, _, _ in cases}}
    for repeat in range(REPEATS):  # interleaved, because timings are noisy
        for number, (against, value, width, count, k) in enumerate(cases):
            problem = simple_cnn(width, count)
            began = time.process_time()
            measurement = sharpest(problem, late[width], k=k)
            times[number].append(time.process_time() - began)
            if repeat == 0:
                size = problem.model.num_parameters if value is None else value
                rows.append({"against": against, "value": size, "products": measurement.products})
    table = pd.DataFrame(rows)
    table["seconds"] = [median(times[number]) for number in times]
    table["seconds_per_product"] = table["seconds"] / table["products"]
    table.to_csv(folder / "scaling.csv", index=False, float_format="%.4g")
    print(table.to_string())


if __name__ == "__main__":
    main()
