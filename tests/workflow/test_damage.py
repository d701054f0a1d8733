"""Damaged, foreign and missing files, a full disk, a read-only folder: one line each, and nothing is lost."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import h5py
import pytest
from sealed import changed
from stored_work import epochs_kept

from .conftest import Project
from .test_deaths import assert_equal, contents, wait_for

RUN = "scnn-c10-sgd-lr0.01-S128-s777"
VOLATILE = ("logs", "benchmarks", "work")
PROFILE = ("--workflow-profile", "workflow/profiles/local")  # shows the logs of failed jobs


def error_lines(result: "subprocess.CompletedProcess[str]") -> set[str]:
    return {line for line in result.stdout.splitlines() if line.startswith("error ")}


def finished(project: Project) -> dict[str, int]:
    """Results except logs and time records, with their modification times."""
    results = project.folder / "results/tiny"
    paths = [path for path in results.rglob("*") if path.is_file() and path.parts[len(results.parts)] not in VOLATILE]
    return {str(path.relative_to(results)): path.stat().st_mtime_ns for path in paths}


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x40
    path.write_bytes(content)


def older(path: Path) -> None:
    with changed(path) as file:
        file.attrs["version"] -= 1


def foreign(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["loss"] = [1.0, 2.0]


# one file for each drawing: the damage, and the message
DAMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "figures/fig01.csv": (
        "spectra/scnn-c10-sgd-lr0.005-S128-s777/growth.h5",
        lambda path: os.truncate(path, path.stat().st_size // 2),
        "truncated",
    ),
    "figures/fig04.csv": (
        "spectra/lstm-ptb-sgd-lr1-S20-s777/grid.h5",
        lambda path: os.truncate(path, 0),
        "empty",
    ),
    "figures/fig06.csv": (f"directions/{RUN}/step.h5", lambda path: flip(path, 1200), "damaged"),
    "figures/fig07.csv": (f"runs/{RUN}@e4/top/snapshots.h5", foreign, "not a results file"),
    "figures/fig12.csv": (
        "spectra/r32-c10-sgd-lr0.1-S128-s777/epochs.h5",
        older,
        "an older version of the code: spectra version 3, this one reads 4",
    ),
    "tables/tab1.csv": (
        "evaluations/r32-c10-nsgd-lr0.01-S128-g0.01-K5-plat-s777/ends.h5",
        lambda path: path.write_text("iteration,loss\n0,1.0\n"),
        "not a results file",
    ),
}


@pytest.mark.slow
def test_each_damaged_file_is_named_with_the_remedy(edited: Project) -> None:
    """And the remedy works."""
    results = edited.folder / "results/tiny"
    expected = contents(results)
    for name, damage, _ in DAMAGES.values():
        damage(results / name)
    before = finished(edited)
    result = edited.snakemake("--cores", "2", *PROFILE, "all")
    assert result.returncode != 0
    assert "Traceback" not in result.stdout, result.stdout
    lines = error_lines(result)
    for name, _, word in DAMAGES.values():
        (line,) = [line for line in lines if f"results/tiny/{name}: " in line]
        assert word in line
        assert f"delete it and run snakemake again to make {Path(name).name}" in line
    # Snakemake removes the outputs of a failed job; nothing trained or measured is removed
    gone = before.keys() - finished(edited).keys()
    assert {name.partition("/")[0].partition(".")[0] for name in gone} <= {"figures", "tables", "claims"}
    for name, _, _ in DAMAGES.values():
        (results / name).unlink()
    repaired = edited.snakemake("--cores", "2", *PROFILE, "all")
    assert repaired.returncode == 0, repaired.stdout
    assert_equal(contents(results), expected)


@pytest.mark.slow
def test_a_data_file_that_vanishes_during_a_run_is_named(edited: Project) -> None:
    """Training has read it and finishes; the measurement after it misses it, and Snakemake itself reports that."""
    edited.edit("config/scales/tiny.yaml", lambda text: text + '  - {runs: "vgg-*", set: {epochs: 40}}\n')
    run = "vgg-c10-sgd-lr0.1-S128-s777"
    results = edited.folder / "results/tiny"
    with ThreadPoolExecutor() as pool:
        target = f"results/tiny/spectra/{run}/grid.h5"
        running = pool.submit(edited.snakemake, "--cores", "1", *PROFILE, target)
        wait_for(lambda: epochs_kept(results / f"work/{run}"))
        (results / "data/c10.h5").unlink()
        failed = running.result()
    assert failed.returncode != 0
    assert "Traceback" not in failed.stdout
    assert "results/tiny/data/c10.h5 (missing locally" in failed.stdout
    assert (results / f"runs/{run}/snapshots.h5").exists()
    again = edited.snakemake("--cores", "1", *PROFILE, target)
    assert again.returncode == 0, again.stdout


@pytest.fixture
def small_disk(edited: Project) -> Iterator[tuple[Project, Path]]:
    """The tiny project with its results on a separate disk, and a file that fills that disk."""
    results = edited.folder / "results"
    size = sum(path.stat().st_size for path in results.rglob("*") if path.is_file())
    kept = shutil.move(results, edited.folder / "kept")
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={2 * size + 2**22}", "tmpfs", str(results)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of its own needs root, and the right to mount one")
    try:
        shutil.copytree(kept, results, dirs_exist_ok=True)
        yield edited, results / "filler"
    finally:
        subprocess.run(["umount", "--lazy", str(results)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("trained", [False, True])
def test_a_full_disk_is_named_and_loses_nothing(small_disk: tuple[Project, Path], tiny: Project, trained: bool) -> None:
    """The work folder of training or a measurement, and a drawing."""
    project, filler = small_disk
    results = project.folder / "results/tiny"
    for name in [*([] if trained else [f"runs/{RUN}"]), f"spectra/{RUN}", f"directions/{RUN}", "figures"]:
        shutil.rmtree(results / name)
    before = finished(project)
    with open(filler, "wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    failed = project.snakemake(
        "--cores", "1", *PROFILE, "results/tiny/figures/fig06.csv", "results/tiny/figures/fig01.csv"
    )
    assert failed.returncode != 0
    assert "Traceback" not in failed.stdout
    lines = error_lines(failed)
    assert len(lines) == 2, failed.stdout
    full = ("No space left on device", "disk is full")
    assert all("results/tiny/" in line and "free space" in line and any(map(line.__contains__, full)) for line in lines)
    filler.unlink()
    assert before.items() <= finished(project).items()
    again = project.snakemake("--cores", "2", *PROFILE, "all")
    assert again.returncode == 0, again.stdout
    assert_equal(contents(results), contents(tiny.folder / "results/tiny"))


def test_results_that_cannot_be_written_are_named(edited: Project, bound: tuple[str, ...]) -> None:
    subprocess.run(["chmod", "-R", "a-w", str(edited.folder / "results")], check=True)
    before = finished(edited)
    result = edited.snakemake("--cores", "1", *PROFILE, "all", prefix=bound)
    assert result.returncode != 0
    assert "Traceback" not in result.stdout
    (line,) = [line for line in result.stdout.splitlines() if "cannot be written" in line]
    assert f"results folder {edited.folder / 'results/tiny'} cannot be written; correct its permissions" in line
    assert edited.snakemake("-n", *PROFILE, "all", prefix=bound).returncode == 0
    assert finished(edited) == before


# a stage -> what is remade, and what is removed before
STAGES = {
    "runs": (f"runs/{RUN}/snapshots.h5", f"runs/{RUN}"),
    "spectra": (f"spectra/{RUN}/step.h5", f"spectra/{RUN}"),
    "figures": ("figures/fig06.csv", "figures/fig06.csv"),
    "logs": ("figures/fig06.csv", "figures/fig06.csv"),
    "work": (f"runs/{RUN}/snapshots.h5", f"runs/{RUN}"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_cannot_be_written_is_named(edited: Project, bound: tuple[str, ...], stage: str) -> None:
    target, removed = STAGES[stage]
    results = edited.folder / "results/tiny"
    shutil.rmtree(results / removed) if (results / removed).is_dir() else (results / removed).unlink()
    subprocess.run(["chmod", "-R", "a-w", str(results / stage)], check=True)
    before = finished(edited)
    result = edited.snakemake("--cores", "1", *PROFILE, f"results/tiny/{target}", prefix=bound)
    assert result.returncode != 0
    assert "Traceback" not in result.stdout, result.stdout
    (line,) = [line for line in result.stdout.splitlines() if "cannot be written" in line]
    assert f"results/tiny/{stage}" in line
    assert finished(edited) == before
