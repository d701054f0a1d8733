"""Seconds of planning: a no-op at a finished scale, and a dry run of thousands of jobs.

python benchmarks/planning.py [--jobs 5000]

The large plan is that of quick with more runs: copies of its constant-rate SimpleCNN and ResNet-32 with other seeds,
each trained, measured on two schedules and drawn. Nothing is computed, and no file of the checkout changes.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
RUNS = ("scnn-c10-sgd-lr0.01-S128", "r32-c10-sgd-lr0.01-S128")
PER_STUDY = 20  # runs of one figure


def enlarge(folder: Path, num_jobs: int) -> None:
    """A checkout whose studies need about ``num_jobs`` jobs."""
    for name in ("src", "workflow", "config"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", folder)
    # a run brings training, two spectra and one directions file, and a figure for every twenty of them
    runs = [f"{RUNS[number % 2]}-s{1000 + number // 2}" for number in range(round(num_jobs / (4 + 2 / PER_STUDY)))]
    with open(folder / "config/runs.tsv", "a") as file:
        file.writelines(f"{run}\tmany\t200\n" for run in runs)
    studies = yaml.safe_load((folder / "config/studies.yaml").read_text())
    for first in range(0, len(runs), PER_STUDY):
        some = runs[first : first + PER_STUDY]
        studies[f"figs{first}"] = {
            "kind": "step_surface", "caption": "many", "direction": 1, "alphas": [1], "grid_limit": 5, "layout": "rows",
            "rows": [{"run": run, "schedule": "step", "label": run, "change_limit": 50} for run in some],
        }  # fmt: skip
        curves = [{"run": run, "schedule": "grid", "label": run} for run in some]
        studies[f"figg{first}"] = {
            "kind": "largest_eigenvalues", "caption": "many", "num_eigenvalues": 1, "scale": "log", "composite": False,
            "rows": [[{"title": "all", "curves": curves}]],
        }  # fmt: skip
    (folder / "config/studies.yaml").write_text(yaml.safe_dump(studies))


def plan(folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Wall and CPU seconds of a dry run, and what it said."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    command = [sys.executable, "-m", "snakemake", "-n", *arguments]
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    after, ended = os.times(), time.perf_counter()
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return ended - began, cpu, done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=5000)
    options = parser.parse_args()
    wall, cpu, said = plan(ROOT, "--quiet", "rules", "--", "all")
    state = "nothing to do" if "Nothing to be done" in said else "results are missing or stale"
    print(f"all, as it stands ({state}): {wall:.1f} s, {cpu:.1f} CPU-s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        enlarge(folder, options.jobs)
        wall, cpu, said = plan(folder, "--quiet", "host", "reason", "--", "figures")
        total = next(line.split()[1] for line in said.splitlines() if line.startswith("total"))
        print(f"{total} jobs: {wall:.1f} s, {cpu:.1f} CPU-s")


if __name__ == "__main__":
    main()
