"""Two snakemakes in one folder: the second reports the first and changes nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from stored_work import epochs_kept

from sharpest.errors import SharpestError
from sharpest.pipeline.preconditions import hold, only_reads

from .conftest import Project
from .test_deaths import make_figures, wait_for, with_make

RUN = "scnn-c10-sgd-lr0.005-S128-s777"
TARGET = f"results/tiny/runs/{RUN}/snapshots.h5"


@pytest.fixture
def at_work(edited: Project) -> Iterator[tuple[Project, "subprocess.Popen[str]"]]:
    """A snakemake that trains a long run."""
    project = with_make(edited)
    longer = '  - {runs: "*-lr0.005-*", set: {epochs: 4000}}\n'
    project.edit("config/scales/tiny.yaml", lambda text: text + longer)
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", TARGET], cwd=project.folder, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(project.folder / "src")}, stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        wait_for(lambda: epochs_kept(project.folder / f"results/tiny/work/{RUN}"))
        yield project, process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def fixed_files(project: Project) -> dict[str, int]:
    """Modification times of results and Snakemake's records, except those being written."""
    folders = ("results", ".snakemake/locks", ".snakemake/metadata", ".snakemake/incomplete")
    return {
        str(path): path.stat().st_mtime_ns
        for folder in folders
        for path in (project.folder / folder).rglob("*")
        if path.is_file() and RUN not in str(path)
    }


@pytest.mark.slow
def test_the_second_reports_the_first_and_changes_nothing(at_work: tuple[Project, "subprocess.Popen[str]"]) -> None:
    project, first = at_work
    before = fixed_files(project)
    assert any(".snakemake/locks" in path for path in before)
    refused = {
        "same target": project.snakemake("--cores", "1", TARGET),
        "everything": project.snakemake("--cores", "1", "all"),
        "unlock": project.snakemake("--unlock"),
        "touch": project.snakemake("--cores", "1", "--touch", "all"),
    }
    for name, result in refused.items():
        assert result.returncode != 0, name
        (line,) = [line for line in result.stdout.splitlines() if "another snakemake is running in" in line]
        assert f"process {first.pid} on " in line
        assert str(project.folder) in line
        assert "Traceback" not in result.stdout
        assert "--unlock" not in result.stdout
    make = make_figures(project)
    assert make.wait(60) != 0
    assert "another snakemake is running in" in (project.folder / "terminal").read_text()
    # commands that change nothing are allowed
    for arguments in (("-n", "all"), ("--summary", TARGET), ("--list-rules",)):
        assert project.snakemake(*arguments).returncode == 0
    assert fixed_files(project) == before
    assert first.poll() is None


def test_a_killed_one_is_named_with_unlock(at_work: tuple[Project, "subprocess.Popen[str]"]) -> None:
    project, first = at_work
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    locked = project.snakemake("--cores", "1", "--rerun-incomplete", TARGET)
    assert locked.returncode != 0
    assert "--unlock" in locked.stdout
    assert "another snakemake" not in locked.stdout
    assert project.snakemake("--unlock").returncode == 0
    assert not list((project.folder / ".snakemake/locks").glob("*.lock"))


def test_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "folder/lock"
    code = (
        "from pathlib import Path; from sharpest.pipeline.preconditions import hold; "
        f"hold(Path({str(path)!r})); print(); input()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(SharpestError, match=rf"another snakemake is running in .*\(process {holder.pid} on "):
        hold(path)
    holder.kill()
    holder.wait()
    hold(path)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--cores", "2", "all"], False), (["--touch", "all"], False), (["--unlock"], False),
        (["--report-after-run", "all"], False), (["--lint"], True), (["--summary"], True), (["-D"], True),
        (["all", "--report=page.html"], True), (["--list-changes", "code"], True), ([], False),
    ],
)  # fmt: skip
def test_which_arguments_change_nothing(arguments: list[str], expected: bool) -> None:
    assert only_reads(arguments) == expected
