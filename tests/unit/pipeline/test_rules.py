"""The functions of the rules: patterns of wildcards, and what is checked before anything is planned."""

import logging
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import h5py
import pytest
from results_folder import ResultsFolder
from sealed import changed

from sharpest.config.project import load_project
from sharpest.config.studies import Input
from sharpest.errors import SharpestError
from sharpest.pipeline.needs import DATA, Needs
from sharpest.pipeline.planned import VARIABLE
from sharpest.pipeline.rules import RUN, Rules, but, curves_pattern, one_of, open_rules
from sharpest.results.paths import Paths

CONFIG = Path(__file__).parents[3] / "config"
SEEDS = range(1000, 1100)


@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_the_patterns_match_exactly_the_runs_and_the_sharded_curves(scale: str) -> None:
    project = load_project({"scale": scale}, CONFIG)
    sharded, whole = project.curves_by_shards()
    assert sharded or scale != "paper"
    pattern = re.compile(curves_pattern(sharded, whole))
    assert all(map(re.compile(RUN).fullmatch, project.run_ids))
    assert all(map(pattern.fullmatch, sharded))
    assert not any(map(pattern.fullmatch, whole))


def test_a_path_has_one_reading() -> None:
    """The id of a branch contains a slash, as does a path with its schedule."""
    path = re.compile(rf"(?P<run>{RUN})/(?P<schedule>grid|step)")
    trunk = "scnn-c10-sgd-lr0.01-S128-s777"
    for run in (trunk, f"{trunk}@e4/x0.5", "r32-c10-sgd-lr0.1-S128-L10-s778"):
        match = path.fullmatch(f"{run}/grid")
        assert match
        assert match["run"] == run
    assert not path.fullmatch(f"{trunk}/other/grid")


def test_runs_that_differ_in_their_seed_share_one_pattern() -> None:
    curves = [f"{net}-c10-sgd-lr0.1-S128-s{seed}/grid" for net in ("scnn", "vgg") for seed in SEEDS]
    pattern = curves_pattern(curves, ["r32-c10-sgd-lr0.1-S128-s1000/grid"])
    assert pattern.count("|") == 1
    assert all(re.fullmatch(pattern, curve) for curve in curves)


def test_seeds_with_different_shards_are_distinguished() -> None:
    run = "scnn-c10-sgd-lr0.1-S128-s{}/grid"
    pattern = curves_pattern([run.format(1)], [run.format(10)])
    assert re.fullmatch(pattern, run.format(1))
    assert not re.fullmatch(pattern, run.format(10))
    assert not re.fullmatch(curves_pattern([], [run.format(1)]), run.format(1))


def test_a_branch_reads_the_states_of_its_trunk_and_a_run_reads_data_only(tmp_path: Path) -> None:
    project = load_project({"scale": "quick"}, CONFIG)
    needs = Needs(project, Paths.of("quick", tmp_path))
    for run in project.run_ids:
        branch, data = project.run(run).branch, Input(DATA, run, None)
        trunk = [Input("snapshots", branch.parent, None)] if branch else []
        assert needs.before(Input("snapshots", run, None)) == [data, *trunk]
        assert needs.before(data) == []


def test_one_of_matches_only_these_names() -> None:
    pattern = one_of({"fig06": 1, "a.b": 2})
    assert all(re.fullmatch(pattern, name) for name in ("fig06", "a.b"))
    assert not any(re.fullmatch(pattern, name) for name in ("fig060", "fig0", "acb", ""))
    assert not re.fullmatch(one_of([]), "")


def test_but_leaves_out_some_names() -> None:
    """Of files in a folder of that name, or with an ending; longer names are others."""
    path = re.compile(rf"(?P<figure>{but(['fig06'], one_of(['fig06', 'fig06_late', 'fig07']))})(/|[.])\w+")
    assert not path.fullmatch("fig06.csv")
    assert not path.fullmatch("fig06/csv")
    assert all(map(path.fullmatch, ("fig06_late.csv", "fig07.csv", "fig07/csv")))
    assert but([], RUN) == RUN


# --- what is refused before anything is planned


def older_states(results: Path) -> None:
    path = ResultsFolder(results / "quick").write_snapshots("scnn-c10-sgd-lr0.01-S128-s777", {}, {})
    with changed(path) as file:
        file.attrs["version"] -= 1


def other_data(results: Path) -> None:
    (results / "quick/data").mkdir(parents=True)
    with h5py.File(results / "quick/data/c10.h5", "w") as file:
        file.attrs["dataset"] = "fashion-mnist"


OBSTACLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "results is a file": (lambda results: results.write_text("mine"), "results: is not a folder, but results go there"),
    "results is a loop": (lambda results: results.symlink_to("results"), "results: is a link without a folder"),
    "results leads nowhere": (lambda results: results.symlink_to("nowhere"), "results: is a link without a folder"),
    "older results": (older_states, "results/quick: was written by an older version"),
    "other data": (other_data, "holds fashion-mnist, but the configuration says digits"),
    "records behind a broken link": (lambda results: Path(".snakemake").symlink_to("nowhere"), "cannot be read"),
}
VARIABLES = {"PYTHONWARNINGS": "error", "ONEDNN_DEFAULT_FPMATH_MODE": "BF16"}


def opened(monkeypatch: pytest.MonkeyPatch, folder: Path, **config: object) -> Rules:
    """The rules of the scale ``quick`` in an empty folder, as of a dry run."""
    for name in (VARIABLE, "PYTHONPATH"):
        monkeypatch.setenv(name, "restored after the test")
    monkeypatch.chdir(folder)
    logger = logging.getLogger("test")
    return open_rules({"scale": "quick", "device": "cpu", **config}, CONFIG.parent, logger, plans=True, is_dry=True)


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_an_obstacle_is_one_line(obstacle: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make, message = OBSTACLES[obstacle]
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "results")
    with pytest.raises(SharpestError, match=re.escape(message)) as raised:
        opened(monkeypatch, tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_changes_results_is_refused(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(name, VARIABLES[name])
    with warnings.catch_warnings(), pytest.raises(SharpestError, match=f"unset {name}"):
        opened(monkeypatch, tmp_path)


def test_a_run_that_is_not_planned_is_no_target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rules, run = opened(monkeypatch, tmp_path), "scnn-c10-sgd-lr0.3-S128-s777"
    with pytest.raises(
        SharpestError, match=f"^run '{run}' is not in config/runs.tsv; did you mean scnn-c10-sgd-lr0.1-"
    ):
        rules.settings(SimpleNamespace(run=run))


def test_a_job_on_a_gpu_asks_for_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert opened(monkeypatch, tmp_path).gpu == {}
    rules = opened(monkeypatch, tmp_path, device="cuda", jobs_per_gpu=3)
    assert rules.gpu == {"gpu": 1, "jobs_per_gpu": 3}


def test_targets_and_reports_name_their_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those beyond the paper are in the full report alone."""
    rules = opened(monkeypatch, tmp_path)
    assert rules.figure_files(["fig06"]) == [f"results/quick/figures/fig06.{kind}" for kind in ("pdf", "png", "csv")]
    assert rules.verdict_files("nobody") == []
    paper, full = (set(rules.files_of_report(full)(None)) for full in (False, True))
    beyond = {str(rules.paths.figure(name, "png")) for name in rules.project.beyond}
    assert paper < full
    assert beyond <= full - paper
