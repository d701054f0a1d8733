"""Where the time of a finished scale went: seconds and CPU seconds per rule, measure, net and schedule.

python benchmarks/quick.py [FOLDER] [--scale quick] [--longest 20]

The seconds are from Snakemake's records in .snakemake/metadata; those of training and measuring jobs include reading
the data. The CPU seconds are from the files in results/<scale>/benchmarks; other jobs have none. Nothing is computed.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from sharpest.results.paths import Paths


def jobs(folder: Path, scale: str) -> Iterator[dict[str, object]]:
    """One row per finished job of a scale."""
    paths = Paths.of(scale)
    logs = paths.folder / "logs"
    seen = set()
    for record in (folder / ".snakemake/metadata").rglob("*"):
        if not record.is_file():
            continue
        job = json.loads(record.read_text())
        log = Path(job["log"][0]) if job["log"] else None
        if log is None or log in seen or not log.is_relative_to(logs):
            continue
        seen.add(log)
        kind, *of = log.relative_to(logs).with_suffix("").parts
        measured = job["rule"] in ("measure", "merge_shards")
        run = "/".join(of[:-1] if measured else of)
        usage = folder / paths.benchmark_of(log)
        yield {
            "rule": job["rule"],
            "what": kind,
            "net": run.split("-")[0] if job["rule"] in ("train_run", "measure") else "",
            "run": run,
            "schedule": of[-1] if measured else "",
            "s": job["endtime"] - job["starttime"],
            "cpu": pd.read_table(usage)["cpu_time"][0] if usage.exists() else float("nan"),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="the folder of the Snakefile")
    parser.add_argument("--scale", default="quick")
    parser.add_argument("--longest", type=int, default=20, help="number of single jobs to print")
    options = parser.parse_args()
    table = pd.DataFrame(jobs(options.folder, options.scale))
    if table.empty:
        parser.error(f"{options.folder}: no finished job of {options.scale}; give the folder of a Snakefile that ran")
    for keys in (["rule"], ["what", "net", "schedule"]):
        groups = table.groupby(keys)
        sums = groups[["s", "cpu"]].sum().assign(jobs=groups.size()).sort_values("s", ascending=False)
        print(sums.round(1).head(40).to_string(), "\n")
    longest = table.nlargest(options.longest, "s")[["s", "cpu", "what", "run", "schedule"]]
    print(longest.round(1).to_string(index=False))
    print(f"\nall jobs: {table['s'].sum():.0f} s, {table['cpu'].sum():.0f} CPU-s")


if __name__ == "__main__":
    main()
