"""Curves and end points of NSGD and SGD, against numbers worked out by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb

from sharpest.config.studies import Curve, NsgdCurves
from sharpest.figures.canvas import BLUE, RED
from sharpest.figures.lines import nsgd_curves as draw

from .conftest import foot, labels, series_of


def _run(gamma: float, seed: int) -> str:
    return f"r32-c10-nsgd-lr0.01-S128-g{gamma:g}-K5-plat-s{seed}"


def _sgd(seed: int) -> str:
    return f"r32-c10-sgd-lr0.01-S128-plat-s{seed}"


# label, runs, colour
LINES = [
    {"label": "low", "runs": (_run(0.01, 777), _run(0.01, 778))},
    {"label": "SGD", "runs": (_sgd(777),), "colour": "black"},
    {"label": "high", "runs": (_run(5, 777),)},
]
RUNS = [run for line in LINES for run in line["runs"]]
CURVES = [Curve(run=run, schedule="tracked", label="") for run in RUNS]
END_POINTS = {
    "title": "end points",
    "xlabel": "K",
    "points": [{"label": "K = 1", "x": 1, "runs": (RUNS[0], RUNS[1])}, {"label": "K = 9", "x": 9, "runs": (RUNS[3],)}],
    "baseline": {"label": "SGD", "runs": (_sgd(777), _sgd(778))},
}
MEAN = "mean of 777, 778"  # of the first line
SEEDS = "Lines: means over 2 seeds; bands: one standard deviation; thin: single seeds"
ENDED = [*RUNS, _sgd(778)]  # the runs behind these end points


def _study(*quantities: str, end_points: dict[str, Any] | None = None, **options: Any) -> NsgdCurves:
    panels = [{"title": quantity, "quantity": quantity, "lines": LINES} for quantity in quantities]
    values = {"kind": "nsgd_curves", "caption": "", "schedule": "tracked", "panels": panels, "end_points": end_points}
    return NsgdCurves.model_validate(values | options)


@pytest.fixture
def tracked(folder: Any) -> Any:
    """Run j has eigenvalues 3 j and 4 j at epochs 0 to 4, and validation accuracy (j + epoch) per cent at 1 to 8."""
    for j, curve in enumerate(CURVES, start=1):
        folder.spectra(curve, t=5, k=2, epoch=np.arange(5), eigenvalues=np.tile([4.0 * j, 3.0 * j], (5, 1)))
        folder.history(curve.run, last=8, val_accuracy=0.01 * (j + np.arange(1, 9)))
    return folder


def test_curvature_is_the_largest_eigenvalue_and_the_norm_on_a_second_axis(tracked: Any) -> None:
    figure, table = draw(_study("curvature"), tracked.inputs(), "reduced")
    assert list(table["panel"].unique()) == ["curvature"]
    for j, run in enumerate(RUNS, start=1):
        rows = table[table["run"] == run]
        for quantity, value in (("lambda_max", 4 * j), ("frobenius", 5 * j)):
            of_one = rows[rows["series"].str.endswith(f", {quantity}")]
            assert of_one["x"].tolist() == [0, 1, 2, 3, 4]
            assert np.allclose(of_one["y"], value)
    axes, norm = figure.axes
    assert axes.bbox.bounds == norm.bbox.bounds
    for place, quantity, dashes in ((axes, "lambda_max", "-"), (norm, "frobenius", "--")):
        rows = table[table["series"].str.endswith(f", {quantity}")]
        if quantity == "frobenius":  # the table has the seeds of the norm, but only their mean is drawn
            rows = rows[~rows["run"].isin(RUNS[:2])]
        lines = place.lines[: rows["run"].nunique()]
        drawn = np.concatenate([line.get_xydata() for line in lines])
        assert np.array_equal(drawn, rows[["x", "y"]])
        assert {line.get_linestyle() for line in lines} == {dashes}
        assert place.get_yscale() == "linear"
    assert foot(figure) == (
        f"Frobenius norm along training: of the 2 tracked eigenvalues. {SEEDS}; norms: means only. reduced"
    )


def test_runs_with_different_numbers_of_tracked_eigenvalues_are_named(tracked: Any) -> None:
    tracked.spectra(CURVES[3], k=20)
    figure, _ = draw(_study("curvature"), tracked.inputs(), "")
    assert foot(figure).startswith("Frobenius norm along training: of the 2 or 20 tracked")


def test_seeds_share_a_colour_and_a_name_and_colours_run_from_blue_to_red(tracked: Any) -> None:
    figure, table = draw(_study("lambda_max"), tracked.inputs(), "")
    (axes,) = figure.axes
    first, second, mean, black, last = (to_rgb(line.get_color()) for line in axes.lines[:5])
    assert first == second == mean
    assert first[2] > first[0]
    assert black == (0, 0, 0)
    assert last[0] > last[2]
    assert series_of(table, "lambda_max", "low, lambda_max")["run"].unique().tolist() == [*RUNS[:2], MEAN]
    assert labels(figure) == ["low", "SGD", "high"]
    handles = axes.get_legend().legend_handles
    assert [to_rgb(handle.get_color()) for handle in handles] == [first, black, last]


def test_accuracies_are_means_over_epochs_in_per_cent(tracked: Any) -> None:
    study = _study("accuracy", smoothing=5, accuracy_from=0)
    figure, table = draw(study, tracked.inputs(), "")
    # eight epochs give four means of five, centred at 3 to 6
    rows = series_of(table, "accuracy", "high")
    assert rows["x"].tolist() == [3, 4, 5, 6]
    assert np.allclose(rows["y"], [7, 8, 9, 10])
    (axes,) = figure.axes
    line = axes.lines[4]  # after two seeds and their mean comes SGD
    assert np.array_equal(line.get_xydata(), rows[["x", "y"]])
    assert line.get_linestyle() == "--"
    assert foot(figure) == f"Accuracies: moving averages over 5 epochs. {SEEDS}."


def test_seeds_have_a_mean_and_a_deviation_and_those_that_diverged_are_left_out(tracked: Any) -> None:
    _, table = draw(_study("accuracy", "lambda_max"), tracked.inputs(), "")
    # the first two runs have eigenvalues 4 and 8, and accuracies 1 + epoch and 2 + epoch
    for panel, series, y, deviation in (
        ("lambda_max", "low, lambda_max", [6] * 5, np.sqrt(8)),
        ("accuracy", "low", 1.5 + np.arange(1, 9), np.sqrt(0.5)),
    ):
        rows = series_of(table, panel, series)
        means = rows[rows["run"] == MEAN]
        assert np.allclose(means["y"], y)
        assert np.allclose(means["deviation"], deviation)
        assert rows.loc[rows["run"] != MEAN, "deviation"].isna().all()
    tracked.spectra(CURVES[1], t=3, diverged=1.25)
    _, table = draw(_study("lambda_max"), tracked.inputs(), "")
    rows = series_of(table, "lambda_max", "low, lambda_max")
    assert rows["run"].unique().tolist() == [*RUNS[:2], "mean of 777"]
    assert set(rows.loc[rows["run"] == "mean of 777", "y"]) == {4}


@pytest.mark.parametrize(
    ("options", "epochs", "note"),
    [
        # a quarter of eight epochs, because ten are requested
        ({"accuracy_from": 10}, [2, 3, 4, 5, 6, 7, 8], "from epoch 2 on"),
        ({"accuracy_from": 1.5}, [2, 3, 4, 5, 6, 7, 8], "from epoch 1.5 on"),
        ({"accuracy_from": 10, "last_epoch": 4}, [1, 2, 3, 4], "from epoch 1 on"),
        ({"last_epoch": 3}, [1, 2, 3], None),
    ],
)
def test_accuracies_begin_late_and_all_curves_end_with_the_axis(
    tracked: Any, options: dict[str, Any], epochs: list[int], note: str | None
) -> None:
    figure, table = draw(_study("accuracy", "lambda_max", **options), tracked.inputs(), "")
    assert series_of(table, "accuracy", "high")["x"].tolist() == epochs
    last = options.get("last_epoch", 4)
    assert series_of(table, "lambda_max", "high, lambda_max")["x"].tolist() == list(range(last + 1))
    assert foot(figure) == (f"Accuracies: {note}. {SEEDS}." if note else f"{SEEDS}.")


def test_end_points_are_means_over_seeds_against_x(tracked: Any) -> None:
    study = _study("lambda_max", end_points=END_POINTS)
    assert study.runs() == [*RUNS, _sgd(778)]
    for j, run in enumerate(ENDED):
        tracked.evaluations(run, test_accuracy=[0.5 + 0.1 * j, 0], frobenius=[10 * 2**j, 0])
    figure, table = draw(study, tracked.inputs(), "")

    def means(series: str) -> pd.DataFrame:
        """If there are several seeds; otherwise the run itself."""
        rows = series_of(table, "end points", series)
        return rows[rows["run"].isin([MEAN, RUNS[3]])]

    accuracy = series_of(table, "end points", "test accuracy (%)")
    assert accuracy["run"].tolist() == [*RUNS[:2], MEAN, RUNS[3]]
    assert accuracy["x"].tolist() == [1, 1, 1, 9]
    assert np.allclose(accuracy["y"], [50, 60, 55, 80])
    assert np.allclose(accuracy["deviation"], [np.nan, np.nan, np.sqrt(50), np.nan], equal_nan=True)
    assert means("Frobenius norm")["y"].tolist() == [15, 80]  # of 10 and 20, and 80
    baseline = means("test accuracy (%), SGD")
    assert baseline["x"].tolist() == [1, 9]
    assert np.allclose(baseline["y"], 80)  # of 70 and 90
    assert means("Frobenius norm, SGD")["y"].tolist() == [100, 100]  # of 40 and 160
    _, axes, norm = figure.axes
    for place, name, colour, marker, dashes in (
        (axes, "test accuracy (%)", RED, "o", "--"),
        (norm, "Frobenius norm", BLUE, "s", "-"),
    ):
        *_, points, _, _, level = place.lines  # after seeds and bars come the seeds of SGD and their mean
        assert np.array_equal(points.get_xydata(), means(name)[["x", "y"]])
        assert np.array_equal(level.get_xydata(), means(f"{name}, SGD")[["x", "y"]])
        assert (points.get_color(), points.get_marker()) == (colour, marker)
        assert (level.get_color(), level.get_linestyle()) == (colour, dashes)
        assert place.get_ylabel() == name
        (bars,) = [each for each in place.collections if isinstance(each, LineCollection)]
        height = np.ptp(bars.get_segments()[0][:, 1])
        assert height == pytest.approx(2 * means(name)["deviation"].iloc[0])
    assert "means over seeds; bars: one standard deviation; small: single seeds." in foot(figure)
    assert labels(figure, 1) == [
        "test accuracy (%)",
        "test accuracy (%), SGD",
        "Frobenius norm",
        "Frobenius norm, SGD",
    ]


def test_diverged_end_points_are_left_out_of_the_means_and_named(tracked: Any) -> None:
    for j, run in enumerate(ENDED):
        tracked.evaluations(run, frobenius=[10 + j, 0])
    tracked.evaluations(ENDED[1], frobenius=[1e9, 0], diverged=3.25)
    tracked.evaluations(ENDED[3], diverged=0.5)
    figure, table = draw(_study("lambda_max", end_points=END_POINTS), tracked.inputs(), "")
    norms = series_of(table, "end points", "Frobenius norm")
    assert norms[["run", "x", "y"]].to_numpy().tolist() == [[RUNS[0], 1, 10], ["mean of 777", 1, 10]]
    assert "K = 1 seed 778 diverged at epoch 3.25; K = 9 diverged at epoch 0.5." in foot(figure)
