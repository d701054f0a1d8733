"""Kills of jobs and of snakemake at random moments: the same command resumes, and ends with the same bits."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import psutil
import pytest

from .conftest import ROOT, Project

MEASUREMENTS = ("measure.py",)
JOBS = ("train_run.py", *MEASUREMENTS)
VICTIMS = ("trainer", "measurement", "snakemake", "group", "ctrl-c")
CLOCK = {"seconds", "epoch_seconds", "created"}  # times, in arrays and attributes


def with_make(project: Project) -> Project:
    """The project with its Makefile, using this environment instead of its own."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, project.folder)
    (project.folder / ".venv").mkdir()
    (project.folder / ".venv/complete").touch()
    return project


def make_figures(project: Project) -> "subprocess.Popen[str]":
    """``make figures`` in the background, in its own process group, as a terminal would start it."""
    return subprocess.Popen(
        ["make", "figures", f"BIN={Path(sys.executable).parent}", "CORES=2"], cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(project.folder / "src")}, start_new_session=True,
        stdout=open(project.folder / "terminal", "w"), stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def processes(project: Project, *names: str) -> list[psutil.Process]:
    """Python processes in the project's folder that run a program or a script of one of these names."""
    found = []
    for process in psutil.process_iter():
        try:
            # a script is copied to <something>.<its name>
            program = Path(process.cmdline()[1]).name.partition(".")[2] or Path(process.cmdline()[1]).name
            if program in names and process.cwd() == str(project.folder):
                found.append(process)
        except (psutil.Error, IndexError):
            continue
    return found


def wait_for(condition: Callable[[], Any], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def kill(project: Project, command: "subprocess.Popen[str]", victim: str, moments: random.Random) -> bool:
    """Kill at a random moment while a job of the given kind runs; returns whether there was one."""
    jobs = {"trainer": JOBS[:1], "measurement": MEASUREMENTS}.get(victim, JOBS)
    wait_for(lambda: processes(project, *jobs) or command.poll() is not None)
    time.sleep(moments.uniform(0.0, 1.5))
    if command.poll() is not None:
        return False
    if victim in ("group", "ctrl-c"):
        os.killpg(command.pid, signal.SIGKILL if victim == "group" else signal.SIGINT)
        return True
    victims = processes(project, *(("snakemake",) if victim == "snakemake" else jobs))
    for process in victims[:1]:
        with suppress(psutil.NoSuchProcess):  # it has just ended
            process.kill()
            return True
    return False


def contents(folder: Path) -> dict[str, Any]:
    """Contents of all HDF5 and csv files in a folder, except times."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".csv":
            found[name] = path.read_bytes()
        elif path.suffix == ".h5":
            with h5py.File(path) as file:
                arrays = {key: (file[key].shape, file[key][...].tobytes()) for key in file if key not in CLOCK}
                found[name] = arrays, {key: str(file.attrs[key]) for key in file.attrs if key not in CLOCK}
    return found


def assert_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []


def die_and_go_on(project: Project, undisturbed: Path, victims: Sequence[str], seed: int, wiped: Sequence[str]) -> None:
    """Kill and restart ``make figures`` repeatedly, and compare the results each time it finishes.

    Args:
        project: The project.
        undisturbed: The results of an uninterrupted run.
        victims: The processes to kill, one after another.
        seed: Seed of the random moments.
        wiped: Patterns of the results to remove before the start, and each time that everything is finished.
    """
    moments, results, left = random.Random(seed), project.folder / "results/tiny", list(victims)
    while left:
        for path in [path for pattern in wiped for path in results.glob(pattern)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        code, killed = -1, True
        while code:
            assert killed, (project.folder / "terminal").read_text()
            command = make_figures(project)
            killed = bool(left) and kill(project, command, left[0], moments)
            left = left[killed:]
            code = command.wait(300)
        assert_equal(contents(results), contents(undisturbed))
        # no incomplete files, no training state
        assert not [path for path in results.rglob(".*") if path.is_file()]
        assert not [path for path in (results / "work").rglob("*") if path.name != "lock" and path.is_file()]


@pytest.mark.slow
def test_six_deaths(edited: Project, tiny: Project) -> None:
    """In a run that starts with some of its files."""
    measured = ["runs/scnn-c10-sgd-lr0.01-S128-s777", "runs/r32*nsgd*", "spectra/scnn*", "directions", "evaluations"]
    wiped = [*measured, "figures", "tables", "claims.*", "report.html"]
    victims = ["trainer", "ctrl-c", "snakemake", "trainer", "group", "measurement"]
    die_and_go_on(with_make(edited), tiny.folder / "results/tiny", victims, seed=1, wiped=wiped)


@pytest.mark.long
def test_twenty_deaths_in_a_row(edited: Project, tiny: Project) -> None:
    """In a run from the start."""
    victims = random.Random(2).sample(4 * VICTIMS, 4 * len(VICTIMS))
    die_and_go_on(with_make(edited), tiny.folder / "results/tiny", victims, seed=2, wiped=["*"])
