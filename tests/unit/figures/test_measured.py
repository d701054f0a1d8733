"""Any column of any measure: the drawn numbers are those of the file."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from sharpest.config.studies import MeasuredCurves
from sharpest.figures.canvas import BLUE, GREEN, GREY, RED, Canvas
from sharpest.figures.measured import draw

from .conftest import foot, labels

T, K = 6, 3
DrawRuns = Callable[..., tuple[Canvas, pd.DataFrame]]


@pytest.fixture
def draw_runs(folder: Any) -> Callable[..., tuple[Canvas, pd.DataFrame]]:
    """Draws a study of the spectra of runs ``a``, ``b`` and so on."""

    def of(study: MeasuredCurves, *runs: dict[str, Any], foot: str = "") -> tuple[Canvas, pd.DataFrame]:
        for run, options in zip("abc", runs, strict=False):
            write_spectra(folder, run, **options)
        return draw(study, folder.inputs(), foot)

    return of


def write_spectra(
    folder: Any,
    run: str,
    lr: float = 0.1,
    t: int = T,
    diverged: float | None = None,
    settings: Mapping[str, Any] | None = None,
    **arrays: Any,
) -> None:
    """Measurements 10 iterations and half an epoch apart, for a run with the given settings."""
    time = np.arange(t)
    values = {
        "iteration": 10 * time,
        "epoch": time / 2,
        "eigenvalues": (time[:, None] + 1.0) * np.arange(K, 0, -1),
        "residuals": np.full((t, K), 0.25),
        "converged": np.ones((t, K), dtype=bool),
        "hvps": 7 * (time + 1),
    }
    attributes = {"lr": lr, "diverged_epoch": diverged, "config": {"run": settings or {}}}
    folder.write_measure("spectra", run, "step", {"t": t, "k": K}, values | arrays, **attributes)


def study(*panels: Mapping[str, Any], runs: str = "a") -> MeasuredCurves:
    curves = [{"run": run, "schedule": "step", "label": f"run {run}"} for run in runs]
    known = {"title": "P", "measure": "spectra", "column": "eigenvalues", "index": [0], "curves": curves}
    keys = {"kind": "measured", "caption": "", "panels": [known | dict(panel) for panel in panels or ({},)]}
    return MeasuredCurves.model_validate(keys)


def test_the_stored_values_are_drawn(draw_runs: DrawRuns) -> None:
    figure, table = draw_runs(study(runs="ab"), {}, {"t": 4}, foot="reduced")
    (axes,) = figure.axes
    for line, run, t in zip(axes.lines, "ab", (T, 4), strict=False):
        rows = table[table["run"] == run]
        assert rows["x"].tolist() == (np.arange(t) / 2).tolist()
        assert rows["y"].tolist() == (3 * np.arange(1, t + 1)).tolist()
        assert np.array_equal(line.get_xydata(), rows[["x", "y"]])
    assert list(table) == ["panel", "series", "run", "x", "y"]
    assert set(table["series"]) == {"run a", "run b"}
    assert [line.get_color() for line in axes.lines[:2]] == [RED, GREEN]
    assert labels(figure) == ["run a", "run b"]
    assert (axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()) == ("P", "epoch", "eigenvalues[0] (nats)")
    assert axes.get_yscale() == "linear"
    assert foot(figure) == "reduced"


def test_a_place_in_each_further_dimension(folder: Any) -> None:
    profile = np.arange(2 * 3 * 4, dtype=float).reshape(2, 3, 4)
    arrays = {"iteration": np.array([0, 1]), "epoch": np.array([0.0, 1]), "profile": profile}
    panel = {"measure": "directions", "column": "profile", "index": [2, 1]}
    folder.write_measure("directions", "a", "step", {"t": 2, "d": 3, "g": 4}, arrays)
    figure, table = draw(study(panel), folder.inputs(), "")
    assert table["y"].tolist() == [9, 21]
    assert figure.axes[0].get_ylabel() == "profile[2, 1] (nats)"


@pytest.mark.parametrize(
    ("x", "last", "label"),
    [("epoch", 2.5, "epoch"), ("iteration", 50, "iteration"), ("iteration x lr", 5, "iteration × learning rate")],
)
def test_the_x_axis(x: str, last: float, label: str, draw_runs: DrawRuns) -> None:
    figure, table = draw_runs(study({"x": x}), {"lr": 0.1})
    assert table["x"].iloc[-1] == pytest.approx(last)
    assert figure.axes[0].get_xlabel() == label


def test_values_and_band_times_the_learning_rate(draw_runs: DrawRuns) -> None:
    panel = {"factor": "lr", "error": "residuals"}
    figure, table = draw_runs(study(panel, runs="ab"), {"lr": 0.1}, {"lr": 0.5})
    for run, lr in (("a", 0.1), ("b", 0.5)):
        rows = table[table["run"] == run]
        assert np.allclose(rows["y"], lr * 3 * np.arange(1, T + 1))
        assert np.allclose(rows["error"], lr * 0.25)
    assert figure.axes[0].get_ylabel() == "lr × eigenvalues[0]"
    figure, _ = draw_runs(study({"factor": "lr", "ylabel": "η λ"}), {})
    assert figure.axes[0].get_ylabel() == "η λ"


def test_a_band_reaches_from_the_value_less_to_the_value_plus_its_error(draw_runs: DrawRuns) -> None:
    error = np.full((T, K), np.nan)
    error[1:4, 0] = [0.5, 1, 2]
    figure, table = draw_runs(study({"error": "residuals"}), {"residuals": error})
    assert list(table) == ["panel", "series", "run", "x", "y", "error"]
    assert np.array_equal(table["error"].astype(float), error[:, 0], equal_nan=True)
    band, missed = figure.axes[0].collections
    assert to_rgb(band.get_facecolor()[0]) == to_rgb(RED)
    corners = {tuple(corner) for path in band.get_paths() for corner in path.vertices}
    assert {(0.5, 5.5), (0.5, 6.5), (1.0, 8.0), (1.0, 10.0), (1.5, 10.0), (1.5, 14.0)} == corners
    assert len(missed.get_offsets()) == 0


def test_references_are_horizontal_lines_those_over_lr_in_the_colours_of_the_curves(draw_runs: DrawRuns) -> None:
    runs = {"lr": 0.1}, {"lr": 0.5, "t": 3}, {"lr": 0.2, "t": 0}
    figure, table = draw_runs(study({"references": ["2/lr", "12"]}, runs="abc"), *runs)
    (axes,) = figure.axes
    drawn = {(line.get_color(), line.get_linestyle()): line.get_xydata().tolist()
             for line in axes.lines if len(line.get_xdata()) == 2}  # fmt: skip
    assert drawn == {
        (RED, "--"): [[0, 20], [2.5, 20]],
        (GREEN, "--"): [[0, 4], [2.5, 4]],
        (GREY, ":"): [[0, 12], [2.5, 12]],
    }
    references = table[table["series"].isin(["2/lr", "12"])]
    assert references[["run", "y"]].to_numpy().tolist() == [
        ["a", 20], ["a", 20], ["b", 4], ["b", 4], ["", 12], ["", 12],
    ]  # fmt: skip
    assert labels(figure) == ["run a", "run b", "run c: no finite measurement", "2/lr", "12"]


def test_a_logarithmic_axis_leaves_out_and_counts_what_is_not_positive(draw_runs: DrawRuns) -> None:
    values = np.ones((T, K))
    values[:2, 0] = [0, -1]
    values[4, 0] = np.nan
    converged = np.ones((T, K), dtype=bool)
    converged[[0, 3, 4], 0] = False
    arrays = {"eigenvalues": values, "converged": converged}
    for scale, count, missed in (("log", 3, "1 of 3"), ("linear", 5, "2 of 5")):
        figure, table = draw_runs(study({"scale": scale}), arrays, foot="reduced")
        assert len(table) == count
        assert figure.axes[0].get_yscale() == scale
        assert f"residual above the solver's tolerance (P: {missed}). reduced" in foot(figure)
        assert ("values at or below zero (P: 2 of 5)." in foot(figure)) == (scale == "log")


def test_a_single_measurement_is_visible(draw_runs: DrawRuns) -> None:
    figure, _ = draw_runs(study(runs="ab"), {"t": 1}, {})
    assert [line.get_marker() for line in figure.axes[0].lines[:2]] == ["o", ""]


def test_panels_are_at_most_three_in_a_row_with_few_gaps(draw_runs: DrawRuns) -> None:
    panels = [{"title": title, "column": "hvps", "index": []} for title in "PQRS"]
    figure, table = draw_runs(study(*panels), {})
    places = [axes.get_subplotspec() for axes in figure.axes]
    assert [(place.rowspan.start, place.colspan.start) for place in places] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert table.groupby("panel")["y"].sum().tolist() == [7.0 * (1 + 2 + 3 + 4 + 5 + 6)] * 4
    assert [to_rgb(axes.lines[0].get_color()) for axes in figure.axes] == [to_rgb(RED)] * 4
    assert BLUE not in [axes.lines[0].get_color() for axes in figure.axes]


def write_run(folder: Any, run: str, batch_size: int, lr: float = 0.1, **options: Any) -> None:
    settings = {"momentum": 0.0, "nesterov": False, "batch_size": batch_size}
    write_spectra(folder, run, lr=lr, settings=settings, **options)


def test_a_curve_may_have_a_measure_and_a_column_of_its_own(folder: Any) -> None:
    write_spectra(folder, "a")
    loss = {"iteration": [0, 20], "epoch": [0.0, 1], "loss": [3.0, 2]}
    folder.write_measure("directions", "a", "step", {"t": 2}, loss)
    curves = [
        {"run": "a", "schedule": "step", "label": "first"},
        {"run": "a", "schedule": "step", "label": "second", "index": [1]},
        {"run": "a", "schedule": "step", "label": "residual", "column": "residuals", "index": [0]},
        {"run": "a", "schedule": "step", "label": "loss", "measure": "directions", "column": "loss"},
    ]
    made = study({"curves": curves, "error": "residuals"})
    figure, table = draw(made, folder.inputs(), "")
    drawn = {name: rows["y"].tolist() for name, rows in table.groupby("series")}
    assert drawn["first"] == (3 * np.arange(1, T + 1)).tolist()
    assert drawn["second"] == (2 * np.arange(1, T + 1)).tolist()
    assert drawn["residual"] == [0.25] * T
    assert drawn["loss"] == [3, 2]
    # the panel's error belongs to the panel's column
    assert table.groupby("series")["error"].first().notna().to_dict() == {
        "first": True, "loss": False, "residual": False, "second": True,
    }  # fmt: skip
    assert figure.axes[0].get_ylabel() == "eigenvalues[0] (nats), eigenvalues[1] (nats), residuals[0], loss (nats)"
    assert [tuple(file) for file in made.inputs()] == [("spectra", "a", "step"), ("directions", "a", "step")]


@pytest.mark.parametrize(
    ("factor", "momentum", "nesterov", "expected", "name"),
    [
        ("lr/2", 0.5, False, 0.05, "lr/2 × eigenvalues[0]"),
        ("1/edge", 0.0, False, 1 / 20, "eigenvalues[0] / edge"),
        ("1/edge", 0.5, False, 1 / 30, "eigenvalues[0] / edge"),
        ("1/edge", 0.5, True, 1 / 15, "eigenvalues[0] / edge"),
    ],
)
def test_values_over_the_edge_of_the_runs_optimizer(
    factor: str, momentum: float, nesterov: bool, expected: float, name: str, folder: Any
) -> None:
    write_spectra(folder, "a", settings={"momentum": momentum, "nesterov": nesterov})
    figure, table = draw(study({"factor": factor, "error": "residuals"}), folder.inputs(), "")
    assert np.allclose(table["y"], expected * 3 * np.arange(1, T + 1))
    assert np.allclose(table["error"], expected * 0.25)
    assert figure.axes[0].get_ylabel() == name


SIZES = {"x-s1": 32, "y-s1": 8, "z-s1": 128}


def by_size(*runs: str, label: str = "SGD", **panel: Any) -> MeasuredCurves:
    curves = [{"run": run, "schedule": "step", "label": label} for run in runs]
    return study({"x": "batch size", "curves": curves, **panel})


def test_over_batch_sizes_a_run_is_the_mean_of_its_last_half(folder: Any) -> None:
    """Six points, of which the last three count, on a line from the smallest batch to the largest."""
    for place, (run, size) in enumerate(SIZES.items()):
        write_run(folder, run, size, eigenvalues=(np.arange(T) + 10.0 * place)[:, None] * np.ones(K))
    figure, table = draw(by_size(*SIZES), folder.inputs(), "")
    assert table[["run", "x", "y", "error"]].to_numpy().tolist() == [
        ["y-s1", 8, 14, 1], ["x-s1", 32, 4, 1], ["z-s1", 128, 24, 1],
    ]  # fmt: skip
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["8", "32", "128"]
    assert axes.lines[0].get_xydata().tolist() == [[8, 14], [32, 4], [128, 24]]
    assert labels(figure) == ["SGD"]
    assert "means over the last half" in foot(figure)


def test_over_batch_sizes_seeds_have_a_mean(folder: Any) -> None:
    runs = {"scnn-c10-sgd-lr0.1-S8-s777": 8, "scnn-c10-sgd-lr0.1-S32-s777": 32}
    for run, size in runs.items():
        for seed, height in ((1001, 1.0), (1002, 3.0)):
            write_run(folder, run.replace("777", str(seed)), size, eigenvalues=np.full((T, K), size * height))
    _, table = draw(by_size(*runs).of_seeds((1001, 1002)), folder.inputs(), "")
    means = table[table["run"] == "mean of 1001, 1002"]
    assert means[["x", "y"]].to_numpy().tolist() == [[8, 16], [32, 64]]
    assert np.allclose(means["deviation"], [8 * np.sqrt(2), 32 * np.sqrt(2)])


def test_over_batch_sizes_a_run_that_diverged_is_named_and_has_no_point(folder: Any) -> None:
    write_run(folder, "x-s1", 32)
    write_run(folder, "y-s1", 8, diverged=1.5)
    figure, table = draw(by_size("x-s1", "y-s1", references=["2/lr", "3"]), folder.inputs(), "")
    assert table.loc[table["series"] == "SGD", "run"].tolist() == ["x-s1"]
    assert "y-s1 diverged at epoch 1.5." in foot(figure)


def test_over_batch_sizes_a_reference_over_lr_goes_through_the_height_of_each_run(folder: Any) -> None:
    write_run(folder, "x-s1", 32, lr=0.1)
    write_run(folder, "y-s1", 8, lr=0.5)
    _, table = draw(by_size("x-s1", "y-s1", references=["2/lr", "12"]), folder.inputs(), "")
    lines = {text: table.loc[table["series"] == text, ["x", "y"]].to_numpy().tolist() for text in ("2/lr", "12")}
    assert lines == {"2/lr": [[8, 4], [32, 20]], "12": [[8, 12], [32, 12]]}


def test_curves_of_one_label_are_one_line_of_other_labels_others(folder: Any) -> None:
    for run, size in SIZES.items():
        write_run(folder, run, size)
    curves = [{"run": run, "schedule": "step", "label": "m" if run == "z-s1" else "SGD"} for run in SIZES]
    figure, _ = draw(by_size("x-s1", "y-s1", curves=curves), folder.inputs(), "")
    assert labels(figure) == ["SGD", "m"]
    assert [len(line.get_xdata()) for line in figure.axes[0].lines[:2]] == [2, 1]


def test_a_long_legend_makes_the_figure_higher(draw_runs: DrawRuns) -> None:
    heights = []
    for count in (3, 12):
        curves = [{"run": "a", "schedule": "step", "label": f"a label of some length, {n}"} for n in range(count)]
        figure, _ = draw_runs(study({"curves": curves}), {})
        heights.append(figure.get_size_inches()[1])
    assert heights[1] - heights[0] == pytest.approx(9 * 0.14)


def test_more_curves_than_colours_are_told_apart_by_their_dashes(draw_runs: DrawRuns) -> None:
    curves = [{"run": "a", "schedule": "step", "label": str(n)} for n in range(15)]
    figure, _ = draw_runs(study({"curves": curves}), {})
    handles = figure.axes[0].get_legend().legend_handles
    looks = {(line.get_color(), line._dash_pattern[1] and tuple(line._dash_pattern[1])) for line in handles}
    assert len(looks) == 15
