"""Swapped files with unchanged timestamps, and files that Snakemake would meet before our checks: one line each."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sharpest.pipeline.verify import print_verified

from .conftest import Project
from .test_deaths import assert_equal, contents

PROFILE = ("--workflow-profile", "workflow/profiles/local")  # shows the logs of failed jobs
LSTM, VGG = "lstm-ptb-sgd-lr1-S20-s777", "vgg-c10-sgd-lr0.1-S128-s777"


def swap(one: Path, other: Path) -> None:
    """Each file gets the content of the other and keeps its timestamp, as after a mistaken copy."""
    times = [(path.stat().st_atime_ns, path.stat().st_mtime_ns) for path in (one, other)]
    kept = one.with_suffix(".kept")
    one.rename(kept)
    other.rename(one)
    kept.rename(other)
    for path, time in zip((one, other), times, strict=True):
        os.utime(path, ns=time)


@pytest.mark.slow
def test_swapped_files_are_refused_and_the_remedy_helps(edited: Project, capsys: pytest.CaptureFixture[str]) -> None:
    results = edited.folder / "results/tiny"
    expected = contents(results)
    assert print_verified(results) == 0, capsys.readouterr().out
    spectra = [results / f"spectra/{run}/grid.h5" for run in (LSTM, VGG)]
    swap(*spectra)
    assert print_verified(results) == 1
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: ")]
    assert any(f"{spectra[0]}: belongs to run '{VGG}', expected '{LSTM}'" in line for line in wrong)
    shutil.rmtree(results / "figures")
    failed = edited.snakemake("--cores", "1", *PROFILE, "results/tiny/figures/fig04.csv")
    assert failed.returncode != 0
    assert "Traceback" not in failed.stdout
    (line,) = [line for line in failed.stdout.splitlines() if line.startswith("error ")]
    assert f"results/tiny/spectra/{LSTM}/grid.h5: belongs to run '{VGG}', expected '{LSTM}'; delete it and run" in line
    for path in spectra:
        path.unlink()
    assert edited.snakemake("--cores", "2", *PROFILE, "all").returncode == 0
    assert_equal(contents(results), expected)
    assert print_verified(results) == 0, capsys.readouterr().out


def spoil_config(change: Callable[[str], bytes]) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        path = folder / "config/config.yaml"
        path.write_bytes(change(path.read_text()))

    return spoil


def unknown_symbol(folder: Path) -> None:
    path = folder / "config/studies.yaml"
    path.write_text(path.read_text().replace("label: SimpleCNN", "label: $\\foo$", 1))


def results_file(folder: Path) -> None:
    (folder / "results").write_text("mine")


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "results is a file": (results_file, "results: is not a folder, but results go there; move it away"),
    "a key twice": (
        spoil_config(lambda text: f"{text}\nscale: small\n".encode()),
        "key 'scale' is already in line",
    ),
    "a formula with an unknown symbol": (
        unknown_symbol,
        r"'$\\foo$' is not a formula that matplotlib draws (Unknown symbol: \foo); correct it",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_obstacles_are_named_before_anything_is_planned(checkout: Project, name: str) -> None:
    spoil, words = SPOILED[name]
    spoil(checkout.folder)
    result = checkout.snakemake("-n", "results/quick/figures/fig06.csv")
    assert result.returncode != 0
    assert "Traceback" not in result.stdout
    assert len([line for line in result.stdout.splitlines() if words in line]) == 1, result.stdout


@pytest.mark.slow
def test_no_home_folder_is_needed(checkout: Project) -> None:
    """Snakemake's own cache is temporary, as the profiles request."""
    homeless = ("env", "HOME=/proc/none", "XDG_CACHE_HOME=/proc/none", "SHARPEST_FORKSERVER=")
    target = "results/quick/data/c10.h5"
    for profile in ([], ["--workflow-profile", "workflow/profiles/local"]):
        result = checkout.snakemake("--cores", "1", *profile, "--forcerun", target, "--", target, prefix=homeless)
        assert result.returncode == 0, result.stdout
    assert (checkout.folder / target).exists()
