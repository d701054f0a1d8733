"""The workflow from end to end at a tiny scale: its outputs, and its messages for bad input."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from sharpest.measures.opening import open_point
from sharpest.pipeline.gallery_entries import Entry

from .conftest import ROOT, Project

SGD_RUN = "scnn-c10-sgd-lr0.01-S128-s777"
SLOW_RUN = "scnn-c10-sgd-lr0.005-S128-s777"
NSGD_RUN = "r32-c10-nsgd-lr0.01-S128-g0.01-K5-plat-s777"


@pytest.mark.slow
def test_makes_every_declared_file(tiny: Project) -> None:
    results = tiny.folder / "results/tiny"
    for name in ("fig01", "fig04", "fig06", "fig07", "fig12"):
        assert (results / f"figures/{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (results / f"figures/{name}.pdf").read_bytes().startswith(b"%PDF")
        with open(results / f"figures/{name}.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert set(rows[0]) >= {"panel", "series", "run", "x", "y"}
    table = (results / "tables/tab1.md").read_text()
    assert "gamma 0.01" in table
    assert "Scale tiny" in table
    assert "digits in place of CIFAR-10" in table
    assert [path.name for path in (results / f"work/{SGD_RUN}").iterdir()] == ["lock"]


@pytest.mark.slow
def test_figure_6_comes_first_and_the_time_left_is_said(tiny: Project) -> None:
    """As in ``make figures``: of all jobs that need the same data, those behind Figure 6 start first."""
    printed = (tiny.folder / "output.txt").read_text()
    made = re.findall(r"^    output: results/tiny/([^\s,]+)", printed, re.MULTILINE)
    assert next(path for path in made if path.startswith("runs/") and "-c10-" in path) == f"runs/{SGD_RUN}/snapshots.h5"
    assert re.search(r"^all        \d+/\d+ jobs, \d+ %, about \d+ .*left$", printed, re.MULTILINE)
    assert tiny.planned("first", "--forceall")["draw_figure"] == 1


@pytest.mark.slow
def test_a_job_has_the_same_bits_forked_and_by_itself_without_a_home_folder(
    edited: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training and measuring; all arrays except clock times."""
    paths = [f"runs/{NSGD_RUN}/snapshots.h5", f"spectra/{SGD_RUN}/step.h5", f"directions/{SGD_RUN}/step.h5"]

    def arrays() -> dict[str, bytes]:
        actual = {}
        for path in paths:
            with h5py.File(edited.folder / "results/tiny" / path) as file:
                actual |= {f"{path} {name}": array[...].tobytes() for name, array in file.items()}
        return {name: value for name, value in actual.items() if "seconds" not in name}

    forked = arrays()
    monkeypatch.setenv("SHARPEST_FORKSERVER", "")
    for name in ("HOME", "XDG_CACHE_HOME"):  # Snakemake's own cache is temporary, as the profiles request
        monkeypatch.setenv(name, "/proc/none")
    result = edited.snakemake("--cores", "2", "--force", *(f"results/tiny/{path}" for path in paths))
    assert result.returncode == 0, result.stdout
    assert arrays() == forked


@pytest.mark.slow
def test_every_stored_pair_is_converged_or_flagged(tiny: Project) -> None:
    paths = list((tiny.folder / "results/tiny/spectra").rglob("*.h5"))
    assert len(paths) == 6
    for path in paths:
        with h5py.File(path) as file:
            within = file["residuals"][...] <= json.loads(file.attrs["hessian"])["tolerance"]
            np.testing.assert_array_equal(within, file["converged"][...])
            assert file.attrs["replay_drift"] == 0
            assert any("learning rates times" in note for note in json.loads(file.attrs["reductions"]))


@pytest.mark.slow
def test_nsgd_records_the_eigenpairs_it_computed(tiny: Project) -> None:
    with h5py.File(tiny.folder / f"results/tiny/runs/{NSGD_RUN}/snapshots.h5") as file:
        assert list(file["refresh_iteration"]) == [0, 20]
        assert file["eigenvalues"].shape == (2, 10)


@pytest.mark.slow
def test_a_point_opens_from_the_results_alone(tiny: Project) -> None:
    point = open_point(SGD_RUN, 4, scale="tiny", results=tiny.folder / "results")
    assert point.eigenvalues is not None
    with h5py.File(tiny.folder / f"results/tiny/spectra/{SGD_RUN}/step.h5") as file:
        row = list(file["iteration"]).index(4)
        np.testing.assert_array_equal(point.eigenvalues.numpy(), file["eigenvalues"][row])


@pytest.mark.slow
def test_what_the_page_of_results_shows_works(tiny: Project) -> None:
    """Its Python blocks, one after another, on the tiny results."""
    page = (ROOT / "docs/results.md").read_text()
    page = page.replace('scale="quick"', 'scale="tiny"').replace("iteration=120", "iteration=8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 3
    environment = {**os.environ, "PYTHONPATH": str(tiny.folder / "src")}
    subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=tiny.folder, env=environment, check=True)


@pytest.mark.slow
def test_the_engines_own_report_has_captions_and_categories(tiny: Project, tmp_path: Path) -> None:
    result = tiny.snakemake("all", "--report", str(tmp_path / "report.html"))
    assert result.returncode == 0, result.stdout
    page = (tmp_path / "report.html").read_text()
    assert all(f'"{category}"' in page for category in ("Figures", "Tables", "Claims"))
    assert "first stage" in page


@pytest.mark.slow
def test_a_further_seed_makes_its_own_jobs_only(edited: Project) -> None:
    """And the paper's runs stay on disk, so going back redraws and retrains nothing."""
    figure = "results/tiny/figures/fig06.png"
    new = {"train_run": 1, "measure": 2, "draw_figure": 1}
    assert edited.planned(figure, "--config", "seeds=1") == new
    result = edited.snakemake("--cores", "2", figure, "--config", "seeds=1")
    assert result.returncode == 0, result.stdout
    drawn = (edited.folder / "results/tiny/figures/fig06.csv").read_text()
    assert "-s1001," in drawn
    assert "-s777," not in drawn
    assert edited.planned(figure, "--config", "seeds=2") == new
    assert edited.planned(figure) == {"draw_figure": 1}
    # the gallery keeps it with verdicts on these seeds
    edited.edit("config/config.yaml", lambda text: text.replace("seeds: null", "seeds: 1"))
    assert edited.sharpest("gallery", "fig06").returncode == 0
    entry = Entry(edited.folder / "docs/gallery/fig06")
    assert entry.made.runs == ["scnn-c10-sgd-lr0.01-S128-s1001"]
    assert list(entry.claims["subject"]) == entry.made.runs
    assert entry.claims["seeds"].astype(float).tolist() == [1]


@pytest.mark.slow
def test_files_that_are_not_what_snakemake_takes_them_for_are_named(edited: Project) -> None:
    """Results of other settings, as merged from another checkout, and drawings made from another file."""
    folder, figure = edited.folder / "results/tiny", "results/tiny/figures/fig01.csv"
    assert "was made" not in edited.snakemake("-n", "--forcerun", "draw_figure", "measure", "--", "all").stdout
    other = edited.copy_without(edited.folder.parent / f"{edited.folder.name}-other")
    other.edit("config/scales/tiny.yaml", lambda text: text + f'  - {{runs: "{SLOW_RUN}", set: {{lr_factor: 5}}}}\n')
    made = other.snakemake("--cores", "1", figure)
    assert made.returncode == 0, made.stdout
    before = (folder / f"spectra/{SLOW_RUN}/growth.h5").stat()
    for part in ("runs", "spectra"):
        shutil.copytree(other.folder / f"results/tiny/{part}/{SLOW_RUN}", folder / part / SLOW_RUN, dirs_exist_ok=True)
        for path in (folder / part / SLOW_RUN).iterdir():
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    dry = edited.snakemake("-n", "--forcerun", "draw_figure", "--", figure).stdout
    (line,) = [line for line in dry.splitlines() if "other settings" in line]
    assert f"results/tiny/spectra/{SLOW_RUN}/growth.h5: was made with other settings" in line
    assert "(run.lr 0.025 -> 0.015); delete it" in line
    assert "results/tiny/figures/fig01.pdf: was made from another" in edited.snakemake("-n", figure).stdout


@pytest.mark.slow
def test_code_that_changes_while_snakemake_runs_is_refused(edited: Project) -> None:
    """The record would name the code that was planned."""
    shutil.rmtree(edited.folder / f"results/tiny/runs/{SLOW_RUN}")
    # the first job edits the code of the second
    measure = edited.folder / "src/sharpest/measures/spectra/measure.py"
    edit = f"with open({str(measure)!r}, 'a') as file:\n    file.write('assert True\\n')\n"
    start = "from typing import Any\n"
    edited.edit("workflow/scripts/train_run.py", lambda text: text.replace(start, start + edit, 1))
    result = edited.snakemake("--cores", "1", f"results/tiny/spectra/{SLOW_RUN}/growth.h5")
    assert result.returncode != 0
    assert "error      sharpest.measures.spectra.measure changed after snakemake" in result.stdout, result.stdout


def test_bad_config_is_one_line_before_any_job(checkout: Project) -> None:
    """What the rules refuse, and what is refused before Snakemake reads the configuration itself."""
    twice = (checkout.folder / "config/config.yaml").read_text() + "\nscale: small\n"
    (checkout.folder / "twice.yaml").write_text(twice)
    for arguments, words in (
        (["--config", "seeds=abc"], "seeds should be a valid integer"),
        (["--configfile", "twice.yaml"], "twice.yaml, line 23: key 'scale' is already in line 2; merge the two"),
    ):
        result = checkout.snakemake("-n", "figures", *arguments)
        assert result.returncode != 0
        assert len([line for line in result.stdout.splitlines() if words in line]) == 1, result.stdout
        assert "Traceback" not in result.stdout


def test_conda_environment_pins_the_same_versions() -> None:
    lines = (ROOT / "envs/requirements.txt").read_text().splitlines()
    pins = {line.split("==")[0].lower(): line.split("==")[1] for line in lines if "==" in line}
    environment = yaml.safe_load((ROOT / "envs/sharpest.yaml").read_text())
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    assert {name.lower(): version for name, version in (line.split("==") for line in pip)}.items() <= pins.items()
