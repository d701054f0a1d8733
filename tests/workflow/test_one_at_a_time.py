"""A second snakemake in the folder of a first: it reports the first and changes nothing until that is dead."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from stored_work import epochs_kept

from .conftest import Project, write_tiny
from .test_deaths import wait_for

RUN = "scnn-c10-sgd-lr0.005-S128-s777"
TARGET = f"results/tiny/runs/{RUN}/snapshots.h5"


@pytest.fixture
def at_work(compiled: Project, tmp_path: Path) -> Iterator[tuple[Project, "subprocess.Popen[bytes]"]]:
    """A snakemake that trains a long run."""
    project = write_tiny(compiled, tmp_path)
    longer = '  - {runs: "*-lr0.005-*", set: {epochs: 4000}}\n'
    project.edit("config/scales/tiny.yaml", lambda text: text + longer)
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", TARGET], cwd=project.folder, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(project.folder / "src")}, stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        wait_for(lambda: epochs_kept(project.folder / f"results/tiny/work/{RUN}"))
        yield project, process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_the_second_reports_the_first_until_that_is_killed(
    at_work: tuple[Project, "subprocess.Popen[bytes]"],
) -> None:
    project, first = at_work
    records = project.folder / ".snakemake"
    before = sorted(records.glob("locks/*")), sorted(records.glob("incomplete/*"))
    assert before[0]
    for arguments in (["--cores", "1", TARGET], ["--unlock"], ["--cores", "1", "--touch", "all"]):
        refused = project.snakemake(*arguments)
        assert refused.returncode != 0, arguments
        (line,) = [line for line in refused.stdout.splitlines() if "another snakemake is running in" in line]
        assert f"process {first.pid} on " in line
        assert not {"Traceback", "--unlock"} & set(refused.stdout.split())
    assert project.snakemake("-n", "all").returncode == 0
    assert (sorted(records.glob("locks/*")), sorted(records.glob("incomplete/*"))) == before
    assert first.poll() is None
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    locked = project.snakemake("--cores", "1", "--rerun-incomplete", TARGET)
    assert locked.returncode != 0
    assert "--unlock" in locked.stdout
    assert "another snakemake" not in locked.stdout
    assert project.snakemake("--unlock").returncode == 0
    assert not list(records.glob("locks/*.lock"))
