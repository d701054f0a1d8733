"""The kind that draws any column of any measure: mistakes refused before anything is measured."""

from typing import Any, NamedTuple

import pytest

from sharpest.config.reading import validate
from sharpest.config.studies import Curve, Drawn, Input, MeasuredCurves, reference_value
from sharpest.errors import ConfigError
from sharpest.measures import directions, spectra

A, B = ({"run": run, "schedule": "step", "label": run} for run in "ab")
EIGENVALUES = {"title": "P", "measure": "spectra", "column": "eigenvalues", "index": [0], "curves": [A]}


class Schedule(NamedTuple):
    """A schedule on a run, with the attributes that a study reads."""

    measures: dict[str, Any]
    name: str = "step"
    points: tuple[int, ...] = (0, 10)
    window: None = None


STEP = Schedule(
    {
        "spectra": spectra.Settings(num_eigenpairs=3, accuracy_examples=10),
        "directions": directions.Settings(indices=(1, 0), num_gradients=4, loss_examples=10, grid=(-1, 0, 1)),
    }
)


def made(*panels: dict[str, Any]) -> MeasuredCurves:
    return validate(MeasuredCurves, {"kind": "measured", "caption": "", "panels": list(panels)}, "fig")


def check(**panel: Any) -> None:
    study = made(EIGENVALUES | panel)
    study.check(study.curves()[0], STEP)


@pytest.mark.parametrize(
    ("text", "value"), [("0.5", 0.5), ("2/lr", 20), ("38/lr", 380), ("-1.5", -1.5), ("1e-3", 1e-3), ("2E2/lr", 2000)]
)
def test_references_are_numbers_some_over_the_learning_rate(text: str, value: float) -> None:
    assert reference_value(text, lr=0.1) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["", "2/eta", "lr", "2*lr", "2/lr/lr", "/lr", "nan", "1,5", " 2"])
def test_any_other_reference_is_refused(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"panels\.0\.references: reference '.*' should be a number or a number over lr, such as"
    ):
        made(EIGENVALUES | {"references": [text]})


@pytest.mark.parametrize("text", ["0", "-2/lr"])
def test_a_logarithmic_axis_refuses_references_below_zero(text: str) -> None:
    made(EIGENVALUES | {"references": [text]})
    with pytest.raises(ConfigError, match=r"panels\.0: references should be above 0 on a logarithmic axis"):
        made(EIGENVALUES | {"references": [text], "scale": "log"})


def test_panels_have_different_titles() -> None:
    with pytest.raises(ConfigError, match="each panel should have its own title; 'P' is repeated"):
        made(EIGENVALUES, EIGENVALUES)


@pytest.mark.parametrize(
    "panel",
    [
        {},
        {"column": "hvps", "index": []},
        {"column": "residuals", "index": [2], "error": "eigenvalues"},
        {"measure": "directions", "column": "profile", "index": [1, 2]},
        {"measure": "directions", "column": "projection", "index": [3, 0]},
    ],
)
def test_measured_columns_are_drawn(panel: dict[str, Any]) -> None:
    check(**panel)


@pytest.mark.parametrize(
    ("panel", "message"),
    [
        ({"measure": "spectre"}, "unknown measure 'spectre'; did you mean spectra?"),
        ({"measure": "evaluations"}, "schedules.step does not take evaluations; add evaluations to its measures"),
        ({"column": "eigenvalue"}, "spectra has no column 'eigenvalue'; did you mean eigenvalues?"),
        (
            {"measure": "directions", "column": "xyz", "index": []},
            "directions has no column 'xyz'; it has iteration, epoch, direction, projection, gradient_norm, alphas, "
            "loss, loss_change, loss_change_error, grid, step_length, profile, cosine",
        ),
        (
            {"column": "eigenvectors"},
            "eigenvectors of spectra has dimensions (v, k, p), so no value for each point; name an array that has t "
            "first",
        ),
        ({"index": []}, "eigenvalues of spectra has dimensions (t, k); give index 1 place, not 0"),
        ({"column": "hvps"}, "hvps of spectra has dimensions (t); give index 0 places, not 1"),
        ({"index": [3]}, "index 3 exceeds eigenvalues of spectra in schedules.step, whose k ends at 2; lower it"),
        (
            {"measure": "directions", "column": "cosine", "index": [2]},
            "index 2 exceeds cosine of directions in schedules.step, whose d ends at 1; lower it",
        ),
        ({"error": "residual"}, "spectra has no column 'residual'; did you mean residuals?"),
        (
            {"error": "seconds"},
            "error seconds has dimensions (t), eigenvalues of spectra has (t, k); name an array of the same dimensions",
        ),
    ],
)
def test_unmeasured_columns_are_refused(panel: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(**({"index": [0]} | panel))
    assert str(raised.value) == message


def test_a_schedule_is_checked_for_the_panels_that_show_it() -> None:
    study = made(EIGENVALUES, {"title": "Q", "measure": "directions", "column": "loss", "curves": [B]})
    without = STEP._replace(measures={"spectra": STEP.measures["spectra"]})
    study.check(Curve.model_validate(A), without)
    for curve in (Curve.model_validate(B), Input("directions", "b", "step")):
        study.check(curve, STEP)
        with pytest.raises(ConfigError, match=r"schedules\.step does not take directions"):
            study.check(curve, without)


def test_a_curve_in_two_panels_is_one_curve() -> None:
    study = made(EIGENVALUES, EIGENVALUES | {"title": "Q", "curves": [A, B]})
    assert [curve.run for curve in study.curves()] == ["a", "b"]
    assert [(title, len(curves)) for title, curves in study.groups()] == [("P", 1), ("Q", 2)]


@pytest.mark.parametrize(
    ("measure", "column", "index", "marked"),
    [("spectra", "eigenvalues", (0,), True), ("spectra", "hvps", (), False), ("directions", "loss", (), False)],
)
def test_missed_tolerance_is_known_for_columns_with_flags(
    measure: str, column: str, index: tuple[int, ...], marked: bool
) -> None:
    assert Drawn(measure, column, index, None).marks_missed() == marked


@pytest.mark.parametrize("key", ["measure", "column"])
def test_keys_missing_in_the_panel_are_required_of_each_curve(key: str) -> None:
    own = {"measure": "spectra", "column": "eigenvalues", "index": [0]}
    panel = {"title": "P", "curves": [A | own, B | own]}
    assert made(panel).reads == ("spectra",)
    lacking = {name: value for name, value in own.items() if name != key}
    with pytest.raises(ConfigError, match=rf"curve 'b' or its panel 'P' should have a {key}"):
        made({"title": "P", "curves": [A | own, B | lacking]})


def test_over_batch_sizes_there_is_no_error_of_a_point() -> None:
    made(EIGENVALUES | {"x": "batch size"})
    with pytest.raises(ConfigError, match=r"panel 'P' should have no error"):
        made(EIGENVALUES | {"x": "batch size", "error": "residuals"})


def test_every_measure_of_a_panel_is_read_and_checked() -> None:
    loss = {"measure": "directions", "column": "loss"}
    study = made(EIGENVALUES | {"curves": [A, A | loss, B | loss]})
    assert study.reads == ("spectra", "directions")
    assert study.inputs() == [
        Input("spectra", "a", "step"), Input("directions", "a", "step"), Input("directions", "b", "step"),
    ]  # fmt: skip
    study.check(Input("directions", "b", "step"), STEP)
    without = Schedule({"spectra": STEP.measures["spectra"]})
    with pytest.raises(ConfigError, match=r"schedules\.step does not take directions"):
        study.check(Input("directions", "b", "step"), without)
    wrong = made(EIGENVALUES | {"curves": [A, A | loss | {"column": "los"}]})
    with pytest.raises(ConfigError, match=r"directions has no column 'los'; did you mean loss\?"):
        wrong.check(Input("spectra", "a", "step"), STEP)


def test_the_explorer_gets_each_run_of_a_panel_once() -> None:
    loss = {"measure": "directions", "column": "loss", "label": "loss"}
    study = made(EIGENVALUES | {"curves": [A | loss, A, B | loss]})
    ((_, curves),) = study.groups()
    assert [(curve.run, curve.label) for curve in curves] == [("a", "a"), ("b", "loss")]
    assert study.runs() == ["a", "b"]
