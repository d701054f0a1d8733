"""What claims read, and how an unmeasured claim is refused when the workflow starts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from sharpest.claims.ledger import Claim
from sharpest.claims.plans import facets, ordered_groups, plan_claims, with_new_seeds
from sharpest.claims.quantity import RunSource
from sharpest.config.project import Project, load_project
from sharpest.config.run_id import RunId
from sharpest.config.studies import Input, MeasuredCurves
from sharpest.errors import ConfigError
from sharpest.pipeline.needs import inputs_of_claims

SCALES = ("quick", "small", "paper")
Configured = Callable[[str], Project]


class Changed:
    """A project whose schedules are changed on all runs."""

    def __init__(self, project: Project, changes: dict[str, Any]) -> None:
        self._project, self._changes = project, changes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._project, name)

    def schedule(self, run: str, name: str) -> Any:
        return replace(self._project.schedule(run, name), **self._changes)


@pytest.fixture
def claims(ledger: tuple[Claim, ...]) -> dict[str, Claim]:
    return {claim.id: claim for claim in ledger}


@pytest.mark.parametrize("scale", SCALES)
def test_every_claim_has_runs_and_schedules(scale: str, ledger: tuple[Claim, ...], configured: Configured) -> None:
    project = configured(scale)
    ledger = with_new_seeds(ledger, project)
    plans = plan_claims(ledger, project)
    for claim in ledger:
        assert bool(plans[claim.id]) == bool(claim.groups)
        # at least one seed of each group
        assert all({source.run for source in plans[claim.id]} & set(group) for group in claim.groups)
    files = inputs_of_claims(ledger, plans)
    assert len(files) == len(set(files)) > 100
    assert not any("None" in file.run for file in files)


def test_all_runs_are_read_at_paper_scale(ledger: tuple[Claim, ...], configured: Configured) -> None:
    plans = plan_claims(ledger, configured("paper"))
    assert all(tuple(source.run for source in plans[claim.id]) == claim.runs for claim in ledger)


def test_a_scale_with_fewer_seeds_reads_fewer_runs(claims: dict[str, Claim], configured: Configured) -> None:
    project = configured("paper")
    scale = project.scale.model_copy(update={"paper_seeds": {"tab6": 1}})
    claim = claims["tab6.order.dist"]
    sources = plan_claims([claim], replace(project, scale=scale))[claim.id]
    assert [RunId.parse(source.run).seed for source in sources] == [777] * 3


@pytest.mark.parametrize(
    ("claim", "seeds"),
    [("fig17.scnn.alpha2", {1001, 1002}), ("sec3.2.alpha2.scnn", {1001, 1002, 1003})],
    ids=["figure", "section, with the schedule of a figure"],
)
def test_new_seeds_are_those_of_the_own_study(
    claim: str, seeds: set[int], claims: dict[str, Claim], configured: Configured
) -> None:
    project = configured("paper")
    scale = project.scale.model_copy(update={"seeds": {"fig17": 2, "fig06": 3}})
    [changed] = with_new_seeds([claims[claim]], replace(project, scale=scale))
    assert {RunId.parse(run).seed for run in changed.runs} == seeds


@pytest.mark.parametrize(
    ("claim", "schedule"),
    [
        ("fig1.lmax_trend", "growth"),
        ("fig1.crossing", "step"),
        ("fig2.scnn.lmax", "evolution"),
        ("fig3.lr0.01.acc", "full_batch"),
        ("fig4.scnn.lr.peak_order", "grid"),
        ("fig5.r32.vs_random", "alignment"),
        ("fig6.bowl.scnn", "step"),
        ("fig9.lr0.01.acc_drop", "full_batch"),
        ("fig11.magnitude", "grid"),
        ("fig12.decay_or_grow", "epochs"),
        ("fig13.c10.peak_order", "epochs"),
        ("fig14.scnn.train_acc", "step"),
        ("fig15.scnn.alpha2", "step"),
        ("fig18.scnn.alpha2", "late"),
        ("fig8.k_sharp", "tracked"),
        ("fig19.highlr.early", "tracked"),
        ("fig20.scnn.sharper", "step"),
        ("fig22.early_sharp", "tracked"),
        ("sec3.2.alpha2.scnn", "step"),
        ("sec4.scnn.early_order", "tracked"),
        ("tab1.order.dist", None),
        ("fig7.top.loss", None),
        ("fig12.val_acc_order", None),
    ],
)
def test_schedules(claim: str, schedule: str | None, claims: dict[str, Claim], configured: Configured) -> None:
    sources = plan_claims([claims[claim]], configured("paper"))[claim]
    assert {source.schedules.get("spectra") for source in sources} == {schedule}
    assert all(set(source.schedules.values()) <= {schedule, "ends"} for source in sources)


@pytest.mark.parametrize(
    ("claim", "measures"),
    [
        ("fig4.scnn.lr.peak_order", {"spectra"}),
        ("fig6.bowl.scnn", {"spectra", "directions"}),
        ("fig19.mom.early", {"spectra", "evaluations"}),
        ("tab1.order.dist", {"evaluations"}),
        ("fig7.top.loss", set()),
    ],
)
def test_measures(claim: str, measures: set[str], claims: dict[str, Claim], configured: Configured) -> None:
    sources = plan_claims([claims[claim]], configured("paper"))[claim]
    assert all(set(source.schedules) == measures for source in sources)
    assert {source.schedules.get("evaluations", "ends") for source in sources} == {"ends"}


def test_a_run_of_another_figure_is_read_as_that_figure_measures_it(
    claims: dict[str, Claim], configured: Configured
) -> None:
    sources = plan_claims([claims["fig21.long_growth"]], configured("paper"))["fig21.long_growth"]
    measured = [{curve.schedule for curve in configured("paper").study(name).curves()} for name in ("fig21", "fig04")]
    assert [{source.schedules["spectra"]} for source in sources] == measured


def test_branches_are_read_with_their_trunk(claims: dict[str, Claim], configured: Configured) -> None:
    claim = claims["fig12.lmax_after_drop"]
    (source,) = plan_claims([claim], configured("paper"))[claim.id]
    trunk = "r32-c10-sgd-lr0.1-S128-s777"
    assert source == RunSource(run="r32-c10-sgd-lr0.1-S128-L10-s777", schedules={"spectra": "epochs"}, parent=trunk)
    assert Input("spectra", trunk, "epochs") in inputs_of_claims([claim], {claim.id: (source,)})


def test_facets(claims: dict[str, Claim]) -> None:
    assert facets(claims["fig6.alpha0.25.scnn.sign"]) == ("0.25",)
    assert facets(claims["fig6.alpha1_not_best.scnn"]) == ("1", "0.5")
    assert facets(claims["fig6.bowl.scnn"]) == ("e1",)
    assert facets(claims["fig15.scnn.flatter"]) == ("e3",)
    assert facets(claims["fig4.scnn.lr.peak_order"]) == ("",)


def test_levels_are_matched_by_the_ids(claims: dict[str, Claim]) -> None:
    def first(claim: str) -> list[RunId]:
        return [RunId.parse(group[0]) for group in ordered_groups(claims[claim])]

    assert [run.lr for run in first("tab1.eta_order.test_acc")] == [0.1, 0.01, 0.005]
    assert [run.gamma for run in first("tab1.order.dist")] == [5, 1, 0.01]
    assert [run.variant for run in first("fig7.top.loss")] == ["top", "sgd"]
    assert [run.optimizer for run in first("sec4.r32.early_order")] == ["nsgd", "sgd"]
    assert [run.model for run in first("fig11.magnitude")] == ["r32bn", "r32"]


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("fig4.scnn.lr.peak_order", {"quantity": "lambda_max_peaks"}, "did you mean lambda_max_peak?"),
    ("fig4.scnn.lr.peak_order", {"item": "figure 4"}, "should be a figure"),
    ("fig4.scnn.lr.peak_order", {"item": "fig23"}, "'fig23' is not in config/studies.yaml"),
    ("fig4.scnn.lr.peak_order", {"item": "sec3"}, "set item to a figure"),
    ("fig4.scnn.lr.peak_order", {"item": "fig12"}, "no study measures lambda_max_peak"),
    ("fig4.scnn.lr.peak_order", {"quantity": "lambda_max"}, "set kind to trend"),
    ("fig4.scnn.lr.peak_order", {"quantity": "alpha_change_pct"}, "alpha 0.001 is not in schedules."),
    ("fig4.scnn.lr.peak_order", {"quantity": "update_difference"}, "needs no run"),
    ("fig4.scnn.lr.peak_order", {"quantity": "lambda_max_change_after_drop"}, "is not a branch"),
    ("fig4.scnn.lr.peak_order", {"quantity": "train_acc"}, "set kind to trend"),
    ("fig4.scnn.slow_growth.lr", {"quantity": "train_acc"}, "no accuracies are measured"),
    ("fig6.bowl.scnn", {"quantity": "alpha_change_pct", "facet": ""}, "needs the scale of the step as facet"),
    ("fig15.scnn.flatter", {"facet": "e2"}, "direction 2 is not in schedules.step.measures."),
    ("fig15.scnn.flatter", {"facet": "3"}, "unknown direction '3'"),
    ("fig4.scnn.lr.peak_order", {"levels": ("0.001", "0.01")}, "3 settings.*needs 2"),
    ("fig4.scnn.lr.peak_order", {"levels": ("0.001", "0.01", "0.2")}, "do not occur in the run ids"),
    ("tab5.test_acc_diff", {"groups": (("scnnM-fm-sgd-lr0.01-S128-plat-s777",),)}, "1 settings.*needs 2"),
    ("fig4.scnn.slow_growth.lr", {"groups": (("scnn-c10-sgd-lr0.002-S128-s777",),)}, "did you mean"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "remedy"), CHANGES)
def test_a_mistake_is_one_line_with_the_id(
    name: str, changes: dict[str, Any], remedy: str, claims: dict[str, Claim], configured: Configured
) -> None:
    claim = claims[name]
    cells = {key: value for key, value in changes.items() if key in claim.row}
    parts = {key: value for key, value in changes.items() if key not in claim.row}
    changed = replace(claim, row={**claim.row, **cells}, **parts)
    with pytest.raises(ConfigError, match=remedy) as caught:
        plan_claims([changed], configured("paper"))
    assert str(caught.value).startswith(f"config/claims.csv, claim {name}: ")
    assert "\n" not in str(caught.value)


def test_a_schedule_without_the_quantity_is_refused(claims: dict[str, Claim], configured: Configured) -> None:
    for name, changes, remedy in (
        ("fig2.scnn.zoom_osc", {"window": None}, r"schedules\.evolution has no window_epochs"),
        ("fig1.crossing", {"measures": {"spectra": None}}, r"schedules\.step does not take directions; add it"),
    ):
        with pytest.raises(ConfigError, match=remedy):
            plan_claims([claims[name]], Changed(configured("paper"), changes))


@pytest.mark.slow
def test_a_hundred_seeds_are_planned_in_seconds(ledger: tuple[Claim, ...]) -> None:
    """Each study is given its seeds once, and what differs only in a new seed is planned once."""
    begun = process_time()
    project = load_project({"scale": "quick", "seeds": 100}, Path(__file__).parents[3] / "config")
    plans = plan_claims(with_new_seeds(ledger, project), project)
    assert sum(map(len, plans.values())) > 30_000
    assert process_time() - begun < 20
    assert "figures beyond the paper, of " in project.contents()
    assert project.contents().endswith(" runs, with up to 100 new seeds each")


def test_the_papers_plans_do_not_change_with_a_study_beyond_it(
    ledger: tuple[Claim, ...], configured: Configured
) -> None:
    """Even if it shows exactly the runs and seeds that the scale leaves out."""
    project = configured("quick")
    before = plan_claims(ledger, project)
    table = project.studies["tab1"]
    curves = [{"run": run, "label": "", "schedule": "fine"} for run in table.runs()]
    panel = {"title": "P", "measure": "spectra", "column": "eigenvalues", "index": [0], "curves": curves}
    shown = MeasuredCurves.model_validate({"kind": "measured", "caption": "", "panels": [panel]})
    after = replace(project, studies={**project.studies, "sharpness": shown}, beyond=(*project.beyond, "sharpness"))
    assert plan_claims(ledger, after) == before
