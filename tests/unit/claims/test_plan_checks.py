"""Claims of the paper and of later papers on a small project: what they read, and what is refused before it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from sharpest.claims.ledger import parse_claim
from sharpest.claims.plans import plan_claims, with_new_seeds
from sharpest.claims.quantity import RunSource
from sharpest.config.studies import EndPoints, Input, MeasuredCurves, StepSurface
from sharpest.errors import ConfigError
from sharpest.measures.directions import Settings as DirectionSettings
from sharpest.measures.spectra import Settings as SpectrumSettings
from sharpest.pipeline.needs import inputs_of_claims

RUN = "scnn-c10-sgd-lr0.1-S128-s777"
OTHER = RUN.replace("777", "778")
ROW = {
    "id": "mine", "item": "fig6", "kind": "sign", "statement": "", "subject": RUN, "quantity": "alpha_change_pct",
    "facet": "0.5", "expected": "-", "tolerance": "", "unit": "", "any_scale": "yes", "source": "",
    "kind_of": "finding", "ours": "", "implied_by": "", "note": "",
}  # fmt: skip
SPECTRA = SpectrumSettings(num_eigenpairs=5, accuracy_examples=10)
DIRECTIONS = DirectionSettings(indices=(1, 3), num_gradients=1, loss_examples=10, alphas=(0.5, 1), grid=(-5, 0, 5))


@dataclass
class Schedule:
    """A schedule on any run."""

    name: str
    measures: Mapping[str, Any]
    window: float | None = None


def measured(*runs: str) -> MeasuredCurves:
    """Eigenvalues at one schedule, losses at another."""
    eigenvalues = {"schedule": "fine", "measure": "spectra", "column": "eigenvalues", "index": [0]}
    losses = {"schedule": "coarse", "measure": "directions", "column": "loss"}
    curves = [{"run": run, "label": "", **drawn} for run in runs for drawn in (eigenvalues, losses)]
    panels = [{"title": "P", "curves": curves}]
    return MeasuredCurves.model_validate({"kind": "measured", "caption": "", "panels": panels})


class Project:
    """A figure of the step of a run, a table of its end points, and a figure of two seeds, which is also beyond the
    paper; at this scale the paper's figure has only its first seed."""

    beyond = ("sharpness",)

    def __init__(self) -> None:
        rows = [{"run": RUN, "schedule": "step", "label": "A", "change_limit": 50}]
        figure = {"direction": 1, "alphas": (0.5, 1), "grid_limit": 5, "layout": "row", "rows": rows}
        table = {"ends": "whole ends", "rows": [{"label": "A", "runs": [RUN], "paper": {}}]}
        self.studies = {
            "fig06": StepSurface.model_validate({"kind": "step_surface", "caption": "", **figure}),
            "tab1": EndPoints.model_validate({"kind": "end_points", "caption": "", **table}),
            "fig07": measured(RUN, OTHER),
            "sharpness": measured(RUN, OTHER),
        }
        schedules = (
            Schedule("step", {"spectra": SPECTRA, "directions": DIRECTIONS}),
            Schedule("ends", {"evaluations": None}),
            Schedule("whole ends", {"evaluations": None}),
            Schedule("fine", {"spectra": SPECTRA}),
            Schedule("coarse", {"directions": DIRECTIONS}),
        )
        self.scale, self.scale_runs = SimpleNamespace(studies={}), SimpleNamespace(row=lambda run: run)
        self._schedules = {schedule.name: schedule for schedule in schedules}

    def study(self, name: str) -> Any:
        return measured(RUN) if name == "fig07" else self.studies[name]

    def run(self, run: str) -> Any:
        return SimpleNamespace(branch=None, full_batch="-fb" in run)

    def seeds(self, name: str | None) -> range:
        return range(0)

    def schedule(self, run: str, name: str) -> Schedule:
        return self._schedules[name]


COLUMN = {
    "item": "fig7",
    "quantity": "spectra.eigenvalues[0].late_mean",
    "facet": "",
    "kind": "range",
    "expected": "0..1",
}
LATER = {"paper": "cohen2021", **COLUMN, "item": "sharpness"}


def source_of(**changes: str) -> RunSource:
    (source,) = plan_claims([parse_claim(ROW | changes)], Project())["mine"]
    return source


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"facet": ""}, "alpha_change_pct needs the scale of the step as facet, such as 0.5"),
        ({"quantity": "surface_rise", "facet": ""}, "surface_rise needs a direction as facet, such as e1"),
        ({"quantity": "surface_curvature"}, "facet '0.5' is not used by surface_curvature; remove it"),
        ({"quantity": "spectra.eigenvalues[0].peak"}, "facet '0.5' is not used by spectra.eigenvalues[0].peak; "
                                                      "remove it"),
        ({"kind": "order", "expected": "1>0.5"}, "facet '0.5' is not used by an order, whose levels are its facets; "
                                                 "remove it"),
        ({"facet": "half"}, "scale of the step 'half' should be a number such as 0.5"),
        ({"facet": "e1"}, "scale of the step 'e1' should be a number such as 0.5"),
        ({"facet": "4"}, "alpha 4 is not in schedules.step.measures.directions.alphas; add it"),
        ({"quantity": "surface_rise"}, "unknown direction '0.5'; write e1, e2 and so on"),
        (
            {"quantity": "surface_rise", "facet": "e2"},
            "direction 2 is not in schedules.step.measures.directions.indices; add it",
        ),
        (
            {"quantity": "surface_rise_ratio", "facet": "e4"},
            "direction 4 is not in schedules.step.measures.directions.indices; add it",
        ),
    ],
)  # fmt: skip
def test_a_facet_that_does_not_fit_is_one_line(changes: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        source_of(**changes)
    assert str(caught.value) == f"config/claims.csv, claim mine: {message}"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"facet": "1"},
        {"quantity": "alpha_change_pct_e3"},
        {"quantity": "surface_rise", "facet": "e3"},
        {"quantity": "surface_curvature", "facet": ""},
        {"kind": "order", "expected": "1>0.5", "facet": ""},
    ],
)
def test_a_valid_facet_is_read_at_the_schedule_of_the_figure(changes: dict[str, str]) -> None:
    assert source_of(**changes) == RunSource(run=RUN, schedules={"spectra": "step", "directions": "step"})


def test_the_reference_of_a_direction_must_be_measured_too() -> None:
    project, row = Project(), {"quantity": "surface_rise_ratio", "facet": "e3"}
    plan_claims([parse_claim(ROW | row)], project)
    directions = DIRECTIONS.model_copy(update={"indices": (3,)})
    project.schedule(RUN, "step").measures = {"spectra": SPECTRA, "directions": directions}
    with pytest.raises(ConfigError, match=r"direction 1 is not in schedules\.step"):
        plan_claims([parse_claim(ROW | row)], project)
    plan_claims([parse_claim(ROW | row | {"quantity": "surface_rise"})], project)


def test_a_stored_column_is_read_at_the_schedule_of_the_figure() -> None:
    changes = {"quantity": "spectra.eigenvalues[4].mean", "facet": ""}
    source = source_of(**changes)
    assert source == RunSource(run=RUN, schedules={"spectra": "step"})
    files = inputs_of_claims([parse_claim(ROW | changes)], {"mine": (source,)})
    assert files == [Input("spectra", RUN, "step")]


@pytest.mark.parametrize(
    ("quantity", "message"),
    [
        (
            "spectra.eigenvalues[5].mean",
            "index 5 is too large for spectra in schedules.step, whose k ends at 4; lower it",
        ),
        (
            "directions.cosine[2].mean",
            "index 2 is too large for directions in schedules.step, whose d ends at 1; lower it",
        ),
        ("directions.gradient_norm[1].mean", "whose m ends at 0; lower it"),
        ("spectra.eigenvalue[0].mean", "spectra has no column 'eigenvalue'; did you mean eigenvalues?"),
    ],
)
def test_an_index_that_is_not_measured_is_one_line(quantity: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        source_of(quantity=quantity, facet="")
    assert str(caught.value).startswith("config/claims.csv, claim mine: ")
    assert str(caught.value).endswith(message)
    assert "\n" not in str(caught.value)


def test_a_measure_that_the_schedule_does_not_take_is_refused() -> None:
    project = Project()
    project.schedule(RUN, "step").measures = {"spectra": SPECTRA}
    with pytest.raises(ConfigError, match=r"schedules\.step does not take directions; add it to its measures"):
        plan_claims([parse_claim(ROW)], project)


def test_end_points_are_read_at_the_schedule_of_their_own_table() -> None:
    assert source_of(quantity="test_acc", facet="", item="tab1").schedules == {"evaluations": "whole ends"}
    assert source_of(quantity="test_acc", facet="", item="sec4").schedules == {"evaluations": "ends"}
    assert source_of(quantity="evaluations.frobenius.mean", facet="").schedules == {"evaluations": "ends"}


@pytest.mark.parametrize(
    ("quantity", "schedules"),
    [("spectra.eigenvalues[0].mean", {"spectra": "fine"}), ("directions.loss.last", {"directions": "coarse"})],
)
def test_a_column_is_read_at_the_schedule_of_the_figure_that_takes_its_measure(
    quantity: str, schedules: dict[str, str]
) -> None:
    assert source_of(**LATER | {"quantity": quantity}) == RunSource(run=RUN, schedules=schedules)


def test_each_side_uses_the_seeds_of_its_own_studies() -> None:
    for row, runs in ((COLUMN, [RUN]), (LATER, [RUN, OTHER])):
        claim = parse_claim(ROW | row | {"subject": f"{RUN};{OTHER}"})
        (sources,) = plan_claims([claim], Project()).values()
        assert [source.run for source in sources] == runs


@pytest.mark.parametrize(
    ("paper", "cells", "message"),
    [
        (
            "cohen2021", {"item": "sharpnes"},
            "item 'sharpnes' should be a figure of config/beyond.yaml; did you mean sharpness?",
        ),
        ("cohen2021", {"item": "fig6"}, "item 'fig6' should be a figure of config/beyond.yaml; it has sharpness"),
        (
            "cohen2021", {"quantity": "spectra.eigenvalue[0].mean"},
            "quantity 'spectra.eigenvalue[0].mean': spectra has no column 'eigenvalue'; did you mean eigenvalues?",
        ),
        ("cohen2021", {"quantity": "lambda_max_pek"}, "unknown quantity 'lambda_max_pek'; did you mean lambda_max"),
        (
            "cohen2021",
            {"quantity": "rising_updates_after_edge"},
            f"rising_updates_after_edge needs full-batch runs, unlike '{RUN}'; name a run with -fb in its id",
        ),
        (
            "cohen2021", {"subject": "vgg-c10-sgd-lr0.1-S128-s777"},
            "no study measures spectra.eigenvalues[0].late_mean of 'vgg-c10-sgd-lr0.1-S128-s777'; add the run to "
            "sharpness in beyond.yaml",
        ),
        ("", {"item": "sharpness"}, "item 'sharpness' should be a figure (fig4, fig_mine), a table (tab1) or"),
        ("", {"item": "sec3", "quantity": "lambda_max_pek"}, "unknown quantity 'lambda_max_pek'"),
    ],
)  # fmt: skip
def test_a_claim_that_does_not_fit_is_one_line_with_its_file(paper: str, cells: dict[str, str], message: str) -> None:
    claim, project = parse_claim(ROW | (LATER if paper else COLUMN) | cells), Project()
    with pytest.raises(ConfigError) as caught:
        plan_claims(with_new_seeds([claim], project), project)
    file = "config/claims/cohen2021.csv" if paper else "config/claims.csv"
    assert str(caught.value).startswith(f"{file}, claim mine: {message}")
