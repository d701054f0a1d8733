"""The pipeline on a real Slurm: from submission to figures, time limits, cancelled jobs, grouped jobs."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import h5py
import pytest
from one_node_slurm import SlurmError, one_node
from stored_work import epochs_kept

pytestmark = pytest.mark.slurm

RUN = "scnn-c10-sgd-lr0.005-S128-s777"
SNAPSHOTS = f"results/tiny/runs/{RUN}/snapshots.h5"
PLACES = {
    "local": ["--cores", "1"],
    "slurm": ["--workflow-profile", "workflow/profiles/slurm", "--slurm-init-seconds-before-status-checks", "3"],
}
GROUPS = [
    "--groups", "draw_figure=draw", "write_table=draw", "judge_claims=judge", "write_report=judge",
    "write_full_report=judge", "measure=measure",
    "--group-components", "draw=10", "measure=4",
]  # fmt: skip


@dataclass(frozen=True)
class ClusterProject:
    """A checkout whose jobs run on the cluster, or locally for comparison."""

    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str, where: str = "slurm") -> subprocess.Popen[str]:
        """Start snakemake; stdout holds both streams."""
        process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", *arguments, *PLACES[where]],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder / "src")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        return process

    def run(self, *arguments: str, where: str = "slurm") -> str:
        """Run snakemake to its end, which must succeed."""
        process = self.start(*arguments, where=where)
        output, _ = process.communicate(timeout=900)
        assert process.returncode == 0, output
        return output


def _cluster(accounting: bool) -> Iterator[Path]:
    if find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.fail("the executor plugin is missing: make test-slurm, or pip install -r envs/slurm.txt", pytrace=False)
    try:
        with one_node(accounting) as folder:
            yield folder
    except SlurmError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def slurm() -> Iterator[Path]:
    """A cluster without accounting; the folder of its logs."""
    yield from _cluster(accounting=False)


@pytest.fixture
def slurm_with_accounting() -> Iterator[Path]:
    """A cluster with accounting; the folder of its logs."""
    yield from _cluster(accounting=True)


@pytest.fixture
def cluster_project(tiny, tmp_path: Path) -> Iterator[ClusterProject]:  # type: ignore[no-untyped-def]
    """The tiny project before any run. List it after the cluster fixture: its processes must end first."""
    tiny.copy_without(tmp_path, "results", ".snakemake")
    project = ClusterProject(tmp_path)
    yield project
    for process in project.processes:
        process.kill()  # one left by a failed test would submit its jobs again
        process.wait()


def test_figures_on_slurm_equal_those_of_a_local_run(tiny, slurm, cluster_project) -> None:  # type: ignore[no-untyped-def]
    """Each file is bitwise that of the local run, and 25 jobs take 13 submissions: 9 training jobs and 4 groups."""
    output = cluster_project.run("all", *GROUPS)
    # Snakemake chooses which measurements share a group
    logs = re.findall(
        r"has been submitted with SLURM jobid \d+ \(log: .*/slurm_logs/(rule_train_run|group_[a-z]+)", output
    )
    assert Counter(logs) == {"rule_train_run": 9, "group_measure": 2, "group_draw": 1, "group_judge": 1}, output
    (drawing,) = re.findall(r"SLURM jobid (\d+) \(log: \S*/group_draw_", output)
    shown = _shown_job(int(drawing))
    assert "TimeLimit=00:30:00" in shown  # six jobs of five minutes
    assert "NumCPUs=1 " in shown
    local, cluster = tiny.folder / "results/tiny", cluster_project.folder / "results/tiny"
    names = _results(local)
    assert len([name for name in names if name.endswith(".png")]) == 5
    assert _results(cluster) == names
    for name in names:
        assert _content(cluster / name) == _content(local / name), name


def test_a_job_killed_by_its_time_limit_resumes_with_a_longer_one(
    slurm_with_accounting,  # type: ignore[no-untyped-def]
    cluster_project,
) -> None:
    """The second attempt has twice the minutes, retrains no epoch, and ends bitwise as without the kill."""
    reference = _long_run(cluster_project)
    with open(cluster_project.folder / "config/scales/tiny.yaml", "a") as scale:
        scale.write("time_limit: 1\n")
    process = cluster_project.start(SNAPSHOTS, "--slurm-status-command", "sacct")
    journal = _Journal(cluster_project.folder)
    journal.wait(process, rows=20)
    # slow enough to reach the limit on any machine
    subprocess.run(["scancel", "--signal=STOP", _running_job()], check=True)
    journal.watch(process)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    accounts = subprocess.run(
        ["sacct", "-X", "-n", "-P", "--format=State,TimelimitRaw"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    assert accounts == ["TIMEOUT|1", "COMPLETED|2"], output
    assert _content(cluster_project.folder / SNAPSHOTS) == reference


def test_a_cancelled_job_resumes_with_the_same_command(slurm, cluster_project) -> None:  # type: ignore[no-untyped-def]
    """``scancel`` loses at most the current epoch; the same command ends bitwise as without it."""
    reference = _long_run(cluster_project)
    command = [SNAPSHOTS, "--retries", "0"]
    process = cluster_project.start(*command)
    journal = _Journal(cluster_project.folder)
    journal.wait(process, rows=20)
    subprocess.run(["scancel", _running_job()], check=True)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert "CANCELLED" in output
    assert not (cluster_project.folder / SNAPSHOTS).exists()
    process = cluster_project.start(*command)
    journal.watch(process)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert _content(cluster_project.folder / SNAPSHOTS) == reference


def test_a_gpu_is_asked_for_by_the_device_and_by_nothing_else(slurm, cluster_project) -> None:  # type: ignore[no-untyped-def]
    """The node's GPU does not exist: Slurm gives the job its id, and the job reports that torch cannot use it."""
    output, _ = cluster_project.start(SNAPSHOTS, "--retries", "0", "--config", "device=cuda").communicate(timeout=300)
    assert "torch finds no GPU it can use (CUDA_VISIBLE_DEVICES: 0)" in output, output
    assert "TresPerJob=gres:gpu:1" in _shown_job(1)
    cluster_project.run(SNAPSHOTS)
    assert "TresPerJob" not in _shown_job(2)


class _Journal:
    """The journal of a run's epochs, read during training; it must only grow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / f"results/tiny/work/{RUN}"
        self._seen: list[tuple[int, str]] = []

    def _read(self) -> int:
        rows = epochs_kept(self._folder)
        if len(rows) >= len(self._seen):
            assert rows[: len(self._seen)] == self._seen, "training started over, or repeated an epoch"
            self._seen = rows
        return len(rows)

    def wait(self, process: "subprocess.Popen[str]", rows: int) -> None:
        """Wait until the journal has a number of rows."""
        _wait_for(lambda: self._read() >= rows, process)

    def watch(self, process: "subprocess.Popen[str]") -> None:
        """Wait until the process ends; it must have added rows."""
        before = self._read()
        after = before
        deadline = time.monotonic() + 600
        while process.poll() is None:
            assert time.monotonic() < deadline
            after = self._read() or after  # deleted at the end
            time.sleep(0.02)
        assert after > before >= 20


def _long_run(project) -> dict[str, bytes]:  # type: ignore[no-untyped-def]
    """Make a run train for some seconds; returns its undisturbed snapshots, which are deleted again."""
    scale = project.folder / "config/scales/tiny.yaml"
    scale.write_text(scale.read_text() + '  - {runs: "*-lr0.005-*", set: {epochs: 500}}\n')
    project.run(SNAPSHOTS, where="local")
    file = project.folder / SNAPSHOTS
    content = _content(file)
    with h5py.File(file) as snapshots:
        assert len(snapshots["epoch_seconds"]) == 500
    file.unlink()
    return content


def _running_job() -> str:
    command = ["squeue", "--noheader", "--states=running", "--format=%i"]
    (job,) = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return job


def _shown_job(number: int) -> str:
    command = ["scontrol", "show", "job", str(number)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _results(folder: Path) -> set[str]:
    """Names of all results except logs and times."""
    kinds = {".h5", ".csv", ".md", ".tex", ".png"}
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in kinds}


def _content(path: Path) -> dict[str, bytes]:
    """The contents of a file, byte by byte, without times."""
    if path.suffix != ".h5":
        return {"": path.read_bytes()}
    with h5py.File(path) as file:
        return {name: file[name][...].tobytes() for name in file if not name.endswith("seconds")}


def _wait_for(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
