"""Damaged, foreign and missing files, a full disk, a read-only folder: one line each, and nothing is lost."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import h5py
import pandas as pd
import pytest
from sealed import changed

from sharpest.pipeline.verify import print_verified

from .conftest import Project
from .test_deaths import assert_equal, contents

RUN, LSTM, VGG = "scnn-c10-sgd-lr0.01-S128-s777", "lstm-ptb-sgd-lr1-S20-s777", "vgg-c10-sgd-lr0.1-S128-s777"
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


def swap(one: Path, other: Path) -> None:
    """Each file gets the content of the other and keeps its timestamp, as after a mistaken copy."""
    times = [(path.stat().st_atime_ns, path.stat().st_mtime_ns) for path in (one, other)]
    kept = one.with_suffix(".kept")
    one.rename(kept)
    other.rename(one)
    kept.rename(other)
    for path, time in zip((one, other), times, strict=True):
        os.utime(path, ns=time)


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
        f"spectra/{LSTM}/grid.h5",
        lambda path: swap(path, path.parents[1] / VGG / "grid.h5"),
        f"belongs to run '{VGG}', expected '{LSTM}'",
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
def test_each_damaged_or_swapped_file_is_named_with_the_remedy(
    edited: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the remedy works."""
    results = edited.folder / "results/tiny"
    expected = contents(results)
    assert print_verified(results) == 0, capsys.readouterr().out
    for name, damage, _ in DAMAGES.values():
        damage(results / name)
    assert print_verified(results) == 1
    wrong = capsys.readouterr().out
    assert all(f"wrong: {results / name}" in wrong for name, _, _ in DAMAGES.values())
    shutil.rmtree(results / "figures")  # Snakemake does not notice what is swapped
    before = finished(edited)
    result = edited.snakemake("--cores", "2", "--keep-going", *PROFILE, "figures")
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
    for name, _, _ in (*DAMAGES.values(), (f"spectra/{VGG}/grid.h5", None, "")):
        (results / name).unlink()
    repaired = edited.snakemake("--cores", "2", *PROFILE, "all")
    assert repaired.returncode == 0, repaired.stdout
    assert_equal(contents(results), expected)
    assert print_verified(results) == 0, capsys.readouterr().out


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
def test_a_full_disk_is_named_and_loses_nothing(small_disk: tuple[Project, Path], tiny: Project) -> None:
    """The work folder of training or a measurement, and a drawing."""
    project, filler = small_disk
    results = project.folder / "results/tiny"
    for name in (f"runs/{RUN}", f"spectra/{RUN}", f"directions/{RUN}", "figures"):
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_own_figures_are_drawn_from_shared_measurements(
    edited: Project, tiny: Project, tmp_path_factory: pytest.TempPathFactory, bound: tuple[str, ...]
) -> None:
    """A second clone reads the read-only results of a first through links; its new study trains nothing."""
    subprocess.run(["chmod", "-R", "a-w", str(edited.folder / "results")], check=True)
    second = tiny.copy_without(tmp_path_factory.mktemp("second"), "results", ".snakemake")
    own, shared = second.folder / "results/tiny", edited.folder / "results/tiny"
    own.mkdir(parents=True)
    for name in ("data", "runs", "spectra", "directions", "evaluations"):
        (own / name).symlink_to(shared / name)
    before = finished(edited)
    second.edit("config/studies.yaml", lambda text: text.replace("alphas: [0.5, 1, 2]", "alphas: [0.5, 2]"))
    assert set(second.planned("figures")) == {"draw_figure", "write_table", "judge_claims", "write_report"}
    run = second.snakemake("--cores", "1", "results/tiny/figures/fig06.csv", prefix=bound)
    assert run.returncode == 0, run.stdout
    assert finished(edited) == before
    tables = (pd.read_csv(folder / "figures/fig06.csv", dtype=str, keep_default_na=False) for folder in (own, shared))
    drawn, theirs = (set(map(tuple, table.to_numpy())) for table in tables)
    assert drawn < theirs
