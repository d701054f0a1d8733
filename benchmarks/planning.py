"""Time to plan a wide study, and to find that nothing needs to run once it is finished.

python benchmarks/planning.py [--seeds 100]

The study is quick with figures 1 to 21 for more seeds; a hundred seeds make 20,000 jobs. Nothing is computed: the files
of finished jobs are placeholders, recorded by Snakemake itself. No file of the checkout changes.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import yaml

from sharpest.config.project import Project, load_project
from sharpest.config.reading import read_yaml
from sharpest.results.snapshots import SNAPSHOTS

ROOT = Path(__file__).resolve().parents[1]
STUDIES = [f"fig{number:02}" for number in range(1, 22)]
FIRST_SEED = 1000
REPEATS = 3  # no-ops, which must not leave any files
RECORD = """
# record each job as Snakemake does when it finishes
async def _record_all():
    for job in workflow.dag.jobs:
        await workflow.persistence.finished(job)


def _record(announcement):
    if getattr(announcement, "event", None) == LogEvent.JOB_INFO:
        workflow.async_run(_record_all())
        os._exit(0)
    return True


if os.getenv("RECORD"):
    logger.addFilter(_record)
"""


class Timed(NamedTuple):
    """One command: its time in seconds, and its output."""

    wall: float
    cpu: float
    output: str

    def __str__(self) -> str:
        return f"{self.wall:.1f} s, {self.cpu:.1f} CPU-s"


def widen(folder: Path, num_seeds: int) -> None:
    """Make a checkout whose figures are drawn for more seeds."""
    for name in ("src", "workflow", "config", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "profiles"):
        shutil.copy(ROOT / name, folder, follow_symlinks=False)
    scale = folder / "config/scales/quick.yaml"
    scale.write_text(scale.read_text().replace('-s777"', '-s*"'))
    project = load_project(read_yaml(ROOT / "config/config.yaml"), ROOT / "config")
    runs = dict.fromkeys(run for name in STUDIES for run in _with_parents(project, name))
    studies = {name: yaml.safe_dump(project.study(name).model_dump(mode="json")) for name in STUDIES}
    seeds = range(FIRST_SEED, FIRST_SEED + num_seeds)
    with open(folder / "config/runs.tsv", "a") as file:
        for seed in seeds:
            file.writelines(f"{_reseeded(run, seed)}\tmany\t{project.epochs[run]}\n" for run in runs)
    with open(folder / "config/studies.yaml", "a") as file:
        for seed in seeds:
            copies = {f"{name}s{seed}": yaml.safe_load(_reseeded(text, seed)) for name, text in studies.items()}
            file.write(yaml.safe_dump(copies))


def _with_parents(project: Project, name: str) -> Iterator[str]:
    for run in project.study(name).runs():
        if branch := project.run(run).branch:
            yield branch.parent
        yield run


def _reseeded(text: str, seed: int) -> str:
    return re.sub(r"-s\d+\b", f"-s{seed}", text)


def finish(folder: Path, plan: str) -> int:
    """Mark every job of a dry run as finished.

    Returns:
        The number of files in the results folder.
    """
    with h5py.File(folder / "template.h5", "w") as file:
        file.attrs["version"] = SNAPSHOTS.version
    template = (folder / "template.h5").read_bytes()
    names = [
        name for line in re.findall(r"^    (?:output|log|benchmark): (.*)$", plan, re.M) for name in line.split(", ")
    ]
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(template if path.suffix == ".h5" else b"placeholder\n")
    for name in names:
        os.utime(folder / name, (0, 0))  # no input is newer than its outputs
    with open(folder / "Snakefile", "a") as file:
        file.write(RECORD)
    # --touch would take 0.1 s per job
    snakemake(folder, "-n", "--forceall", "--", "all", RECORD="1")
    return len(names)


def snakemake(folder: Path, *arguments: str, **variables: str) -> Timed:
    return command(folder, "snakemake", *arguments, **variables)


def command(folder: Path, module: str, *arguments: str, **variables: str) -> Timed:
    """Time a Python command in a folder, including its child processes."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), **variables}
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    after, ended = os.times(), time.perf_counter()
    if done.returncode:
        sys.exit(done.stdout[-5000:])
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Timed(ended - began, cpu, done.stdout)


def records(folder: Path) -> str:
    """Number and size of the files that Snakemake keeps besides the results."""
    files = [path for path in (folder / ".snakemake").rglob("*") if path.is_file()]
    metadata = [path for path in files if "metadata" in path.parts]
    sizes = [sum(path.stat().st_size for path in paths) / 1e6 for paths in (metadata, files)]
    return f"{len(metadata)} records of {sizes[0]:.1f} MB; in all {len(files)} files of {sizes[1]:.1f} MB"


def expect(timed: Timed, words: str) -> Timed:
    if words not in timed.output:
        sys.exit(f"expected {words!r} in the output:\n{timed.output[-5000:]}")
    return timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        widen(folder, options.seeds)
        planned = snakemake(folder, "-n", "--", "all")
        total = next(line.split()[1] for line in planned.output.splitlines() if line.startswith("total"))
        print(f"planning {total} jobs: {planned}")
        num_files = finish(folder, planned.output)
        print(f"finished, with {num_files} results files; {records(folder)}")
        for _ in range(REPEATS):
            print(f"no-op: {expect(snakemake(folder, '--cores', '1', '--', 'all'), 'Nothing to be done')}")
        print(f"why: {expect(command(folder, 'sharpest', 'why'), 'nothing is stale')}")
        print(f"afterwards: {records(folder)}")


if __name__ == "__main__":
    main()
