"""The workflow from end to end at a tiny scale: its outputs, and its messages for bad input."""

import csv
import json
import os
import re
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
NSGD_RUN = "r32-c10-nsgd-lr0.01-S128-g0.01-K5-plat-s777"


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


def test_figure_6_comes_first_and_the_time_left_is_said(tiny: Project) -> None:
    """As in ``make figures``: of all jobs that need the same data, those behind Figure 6 start first."""
    printed = (tiny.folder / "output.txt").read_text()
    made = re.findall(r"^    output: results/tiny/([^\s,]+)", printed, re.MULTILINE)
    assert next(path for path in made if path.startswith("runs/") and "-c10-" in path) == f"runs/{SGD_RUN}/snapshots.h5"
    assert re.search(r"^all        \d+/\d+ jobs, \d+ %, about \d+ .*left$", printed, re.MULTILINE)
    assert tiny.planned("first", "--forceall")["draw_figure"] == 1


@pytest.mark.slow
def test_a_job_has_the_same_bits_forked_and_by_itself(edited: Project, monkeypatch: pytest.MonkeyPatch) -> None:
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
    result = edited.snakemake("--cores", "2", "--force", *(f"results/tiny/{path}" for path in paths))
    assert result.returncode == 0, result.stdout
    assert arrays() == forked


def test_every_stored_pair_is_converged_or_flagged(tiny: Project) -> None:
    paths = list((tiny.folder / "results/tiny/spectra").rglob("*.h5"))
    assert len(paths) == 6
    for path in paths:
        with h5py.File(path) as file:
            within = file["residuals"][...] <= json.loads(file.attrs["hessian"])["tolerance"]
            np.testing.assert_array_equal(within, file["converged"][...])
            assert file.attrs["replay_drift"] == 0
            assert any("learning rates times" in note for note in json.loads(file.attrs["reductions"]))


def test_nsgd_records_the_eigenpairs_it_computed(tiny: Project) -> None:
    with h5py.File(tiny.folder / f"results/tiny/runs/{NSGD_RUN}/snapshots.h5") as file:
        assert list(file["refresh_iteration"]) == [0, 20]
        assert file["eigenvalues"].shape == (2, 10)


def test_a_point_opens_from_the_results_alone(tiny: Project) -> None:
    point = open_point(SGD_RUN, 4, scale="tiny", results=tiny.folder / "results")
    assert point.eigenvalues is not None
    with h5py.File(tiny.folder / f"results/tiny/spectra/{SGD_RUN}/step.h5") as file:
        row = list(file["iteration"]).index(4)
        np.testing.assert_array_equal(point.eigenvalues.numpy(), file["eigenvalues"][row])


def test_what_the_page_of_results_shows_works(tiny: Project) -> None:
    """Its Python blocks, one after another, on the tiny results."""
    page = (ROOT / "docs/results.md").read_text()
    page = page.replace('scale="quick"', 'scale="tiny"').replace("iteration=120", "iteration=8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 3
    environment = {**os.environ, "PYTHONPATH": str(tiny.folder / "src")}
    subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=tiny.folder, env=environment, check=True)


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
    assert edited.planned(figure, "--config", "seeds=1") == {}
    planned, dry = edited.plan(figure, "--config", "seeds=2")
    jobs = [line for line in dry.splitlines() if line.strip().startswith("wildcards: run=")]
    assert jobs
    assert all("-s1002" in line for line in jobs), dry
    assert planned == new
    assert edited.planned(figure) == {"draw_figure": 1}
    behind_all = edited.planned("all", "--config", "seeds=1")
    assert {"draw_figure", "write_table", "judge_claims", "write_report", "train_run"} <= behind_all.keys()
    # the gallery keeps it with verdicts on these seeds
    edited.edit("config/config.yaml", lambda text: text.replace("seeds: null", "seeds: 1"))
    missing = edited.sharpest("gallery", "fig01")
    assert "results/tiny/" in missing.stderr
    assert "s1001" in missing.stderr
    assert edited.sharpest("gallery", "fig06").returncode == 0
    entry = Entry(edited.folder / "docs/gallery/fig06")
    assert entry.made.runs == ["scnn-c10-sgd-lr0.01-S128-s1001"]
    assert list(entry.claims["subject"]) == entry.made.runs
    assert entry.claims["seeds"].astype(float).tolist() == [1]


BAD_CONFIG = {
    "seeds that are no number": (["--config", "seeds=abc"], ["seeds should be a valid integer", "found 'abc'"]),
    "missing folder of a substitute": (
        ["--configfile", "config/substitutes/debian.yaml"],
        ["sources.bible-kjv.folder 'data' is not a folder", "the command in the substitutes file"],
    ),
}


@pytest.mark.parametrize("mistake", BAD_CONFIG)
def test_bad_config_is_one_line_before_any_job(checkout: Project, mistake: str) -> None:
    arguments, words = BAD_CONFIG[mistake]
    result = checkout.snakemake("-n", "figures", *arguments)
    assert result.returncode != 0
    (line,) = [line for line in result.stdout.splitlines() if words[0] in line]
    assert all(word in line for word in words), line
    assert "Traceback" not in result.stdout


MISSING = {
    "bible-kjv": ("ptb", ["data/bible-kjv.txt does not exist", "Debian's bible-kjv 4.38", "bible -f gen1:1-rev22:21"]),
    "rated-sentences": ("imdb", ["data/vaderSentiment-3.3.2.tar.gz does not exist", "pip download", "==3.3.2"]),
}


def test_a_substitute_without_its_file_is_one_line_with_the_command_that_fetches_it(checkout: Project) -> None:
    (checkout.folder / "data").mkdir()
    small = ("--config", "scale=small", "--configfile", "config/substitutes/debian.yaml")
    targets = [f"results/small/data/{dataset}.h5" for dataset, _ in MISSING.values()]
    result = checkout.snakemake("--cores", "1", "--keep-going", *targets, *small)
    assert result.returncode != 0
    for _, words in MISSING.values():
        (line,) = [line for line in result.stdout.splitlines() if words[0] in line]
        assert line.startswith("error")
        assert all(word in line for word in words), line


def test_an_original_and_a_substitute_are_not_mixed_in_one_results_folder(edited: Project) -> None:
    """The tiny results are from the digits; with another source nothing is planned, in another folder everything is."""
    source = ("--config", "datasets={c10: {source: fashion-mnist}}")
    result = edited.snakemake("-n", "figures", *source)
    assert result.returncode != 0
    (line,) = [line for line in result.stdout.splitlines() if "results/tiny/data/c10.h5" in line]
    assert "holds digits, but the configuration says fashion-mnist" in line
    (edited.folder / "elsewhere").mkdir()
    assert "prepare_data" in edited.planned("figures", *source, "--directory", "elsewhere")


def test_one_figure_needs_its_two_runs_only(checkout: Project) -> None:
    planned = checkout.planned("results/quick/figures/fig06.png")
    assert planned["train_run"] == 2
    assert planned["draw_figure"] == 1
    assert planned["measure"] == 4  # spectra and directions of each


def test_an_unknown_run_id_is_not_a_target(checkout: Project) -> None:
    result = checkout.snakemake("-n", "results/quick/runs/scnn-c10-sgd-lr0.3-S128-s777/snapshots.h5")
    assert result.returncode != 0
    assert "lr0.3" in result.stdout


def test_conda_environment_pins_the_same_versions() -> None:
    lines = (ROOT / "envs/requirements.txt").read_text().splitlines()
    pins = {line.split("==")[0].lower(): line.split("==")[1] for line in lines if "==" in line}
    environment = yaml.safe_load((ROOT / "envs/sharpest.yaml").read_text())
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    assert {name.lower(): version for name, version in (line.split("==") for line in pip)}.items() <= pins.items()
