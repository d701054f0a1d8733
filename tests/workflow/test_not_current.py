"""Files and code that are not what Snakemake takes them for: each gives a line, or is refused."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from sealed import changed

from .conftest import Project
from .test_one_at_a_time import at_work as at_work  # a fixture
from .test_staleness import SGD, SLOW, for_runs

PROFILE = ("--workflow-profile", "workflow/profiles/local")
FIG01 = "results/tiny/figures/fig01.csv"
FIG06 = "results/tiny/figures/fig06.pdf"  # the first file of the record


def lines_of(output: str, word: str) -> list[str]:
    return [line for line in output.splitlines() if word in line]


@pytest.mark.slow
def test_results_of_other_settings_are_named_before_they_are_drawn(edited: Project, tmp_path: Path) -> None:
    """As merged from another checkout, where the same run has another learning rate."""
    other = edited.copy_without(tmp_path / "other")
    for_runs(SLOW, "lr_factor: 5")(other)
    made = other.snakemake("--cores", "1", FIG01)
    assert made.returncode == 0, made.stdout
    for part in ("runs", "spectra"):
        place = f"results/tiny/{part}/{SLOW}"
        shutil.copytree(other.folder / place, edited.folder / place, dirs_exist_ok=True)
    for arguments in (["-n"], ["--cores", "1"]):
        result = edited.snakemake(*arguments, *PROFILE, "--forcerun", "draw_figure", "--", FIG01)
        assert result.returncode == 0, result.stdout
        (line,) = lines_of(result.stdout, "other settings")
        assert f"results/tiny/spectra/{SLOW}/growth.h5: was made with other settings" in line
        assert "(run.lr 0.025 -> 0.015); delete it" in line
    # the remedy
    for part in ("runs", "spectra"):
        shutil.rmtree(edited.folder / f"results/tiny/{part}/{SLOW}")
    again = edited.snakemake("--cores", "1", FIG01)
    assert again.returncode == 0, again.stdout
    assert not lines_of(again.stdout, "other settings")


def test_current_results_give_no_line(edited: Project) -> None:
    for arguments in (["all"], ["--forcerun", "draw_figure", "write_table", "judge_claims", "measure", "--", "all"]):
        result = edited.snakemake("-n", *arguments)
        assert result.returncode == 0, result.stdout
        assert not lines_of(result.stdout, "was made")


@pytest.mark.slow
def test_a_drawing_that_is_older_than_its_clock_says_is_named(edited: Project) -> None:
    """The clock was set back, and snakemake was stopped between the measurement and the drawing."""
    measured = f"results/tiny/directions/{SGD}/step.h5"
    before = (edited.folder / measured).stat()
    with changed(edited.folder / measured) as file:
        file["epoch"][0] += 1
    os.utime(edited.folder / measured, ns=(before.st_atime_ns, before.st_mtime_ns))
    plan = edited.snakemake("-n", "all")
    assert plan.returncode == 0
    assert "Nothing to be done" in plan.stdout
    (line,) = lines_of(plan.stdout, f"{FIG06}: was made from another {measured} than is there now")
    remedy = line.partition("make it again with: snakemake ")[2].split()
    assert edited.snakemake(*[word.replace("all", "1") for word in remedy]).returncode == 0
    assert not lines_of(edited.snakemake("-n", "all").stdout, f"{FIG06}: was made")


@pytest.mark.slow
def test_code_that_changes_while_snakemake_runs_is_refused(edited: Project) -> None:
    """The record would name the code that was planned. A comment is allowed."""
    run = edited.folder / f"results/tiny/runs/{SLOW}"
    edits = {"# a remark\n": 0, "assert True\n": 1}
    script = edited.folder / "workflow/scripts/train_run.py"
    original = script.read_text()
    for text, expected in edits.items():
        shutil.rmtree(run)
        # the first job edits the code of the second
        measure = edited.folder / "src/sharpest/measures/spectra/measure.py"
        edit = f"with open({str(measure)!r}, 'a') as file:\n    file.write({text!r})\n"
        start = "from typing import Any\n"
        assert start in original
        script.write_text(original.replace(start, f"{start}{edit}", 1))
        result = edited.snakemake("--cores", "1", *PROFILE, f"results/tiny/spectra/{SLOW}/growth.h5")
        assert bool(result.returncode) == bool(expected), result.stdout
        named = lines_of(result.stdout, "error      sharpest.measures.spectra.measure changed after snakemake")
        assert len(named) == expected, result.stdout
    again = edited.snakemake("--cores", "1", *PROFILE, f"results/tiny/spectra/{SLOW}/growth.h5")
    assert again.returncode == 0, again.stdout


def test_one_results_folder_has_one_snakemake(
    at_work: tuple[Project, "subprocess.Popen[str]"], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also if another checkout, perhaps with other settings, is linked to it."""
    project, first = at_work
    other = project.copy_without(tmp_path_factory.mktemp("other"), "results", ".snakemake")
    (other.folder / "results").symlink_to(project.folder / "results")
    refused = other.snakemake("--cores", "1", FIG01)
    assert refused.returncode != 0
    (line,) = lines_of(refused.stdout, "another snakemake is running in")
    assert f"{project.folder / 'results/tiny'} (process {first.pid} on " in line
    assert other.snakemake("-n", FIG01).returncode == 0
