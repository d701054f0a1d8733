"""Scatter and 3-D panels, compared with numbers worked out by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from scipy.stats import t as student
from tiers import fast

from sharpest.claims.ledger import read_ledger
from sharpest.claims.quantities import quantity_of
from sharpest.claims.quantity import RunFiles, RunSource
from sharpest.config.project import load_project
from sharpest.config.studies import StepCurve, StepSurface
from sharpest.figures.canvas import Canvas
from sharpest.figures.step_surface import draw

from .conftest import by_title

ALPHAS = (0.5, 1.0, 2.0)
T = 8


A, B = (StepCurve(run=f"run-{run}", schedule="step", label=run, change_limit=50) for run in "AB")


def _study(*rows: StepCurve, **options: Any) -> StepSurface:
    values = {"direction": 1, "alphas": ALPHAS, "grid_limit": 5, "layout": "row"} | options
    return StepSurface(kind="step_surface", caption="", rows=rows or (A,), **values)


def _clouds(axes: Axes) -> list[tuple[str, Any]]:
    return [(cloud.get_label(), cloud) for cloud in axes.collections if str(cloud.get_label()).startswith("α")]


def _changes(values: Any) -> np.ndarray:
    """loss_change (t, d, a) for which the drawn alphas, 0.5, 1 and 2, change the loss by these per cent; (t, 3)."""
    loss = 2.0 - 0.1 * np.arange(len(values))
    full = np.zeros((len(values), 5, 5))
    full[:, 0, 1:4] = 0.01 * loss[:, None] * np.asarray(values)
    return full


def test_scatter_is_the_relative_change_in_per_cent(folder: Any) -> None:
    folder.spectra(A)
    folder.directions(A)
    figure, table = draw(_study(), folder.inputs(), "")
    axes = by_title(figure)["A: change of the loss"]
    rows = table[table["panel"] == "A: change of the loss"]
    assert rows["z"].isna().all()
    for (_, cloud), alpha, channel in zip(_clouds(axes), ALPHAS, (2, 1, 0), strict=True):
        series = rows[rows["series"] == f"alpha {alpha:g}"]
        assert np.allclose(series["y"], alpha - 1)
        assert np.array_equal(cloud.get_offsets(), series[["x", "y"]])
        assert np.argmax(to_rgb(cloud.get_facecolor()[0][:3])) == channel  # blue, green, red
    assert axes.get_ylim() == (-50, 50)
    assert axes.get_title(loc="right") == ""


def test_the_direction_is_looked_up(folder: Any) -> None:
    folder.spectra(A)
    folder.directions(A)
    _, table = draw(_study(direction=5), folder.inputs(), "")
    # eigenvector 5 is third in the file, with changes three times as large
    assert np.allclose(table.loc[table["series"] == "alpha 2", "y"], 3)


def test_few_points_outside_become_triangles_with_their_value_kept(folder: Any) -> None:
    values = np.ones((T, 3))
    values[2, 2], values[5, 0] = 400, -80
    folder.spectra(A)
    folder.directions(A, loss_change=_changes(values))
    figure, table = draw(_study(), folder.inputs(), "")
    axes = by_title(figure)["A: change of the loss"]
    assert axes.get_ylim() == (-50, 50)
    edges = [cloud.get_offsets() for cloud in axes.collections if not str(cloud.get_label()).startswith("α")]
    assert np.allclose(np.concatenate(edges), [[2.5, -48], [1, 48]])
    assert sum(len(cloud.get_offsets()) for _, cloud in _clouds(axes)) == 3 * T - 2
    y = table.loc[table["series"].str.startswith("alpha"), "y"]
    assert y.max() == pytest.approx(400)
    assert y.min() == pytest.approx(-80)


def test_axis_is_widened_when_many_points_lie_outside(folder: Any) -> None:
    values = np.zeros((T, 3))
    values[:, 2] = np.linspace(51, 120, T)  # a third of all points
    folder.spectra(A)
    folder.directions(A, loss_change=_changes(values))
    figure, _ = draw(_study(), folder.inputs(), "")
    axes = by_title(figure)["A: change of the loss"]
    low, high = axes.get_ylim()
    assert low == -high
    assert np.mean(np.abs(values) <= high + 1e-9) >= 0.95
    assert 51 < high < 120
    assert axes.get_ylabel() == "change of the loss (%)\naxis widened"


def _legend(figure: Canvas, panel: str = "A: change of the loss") -> tuple[list[list[str]], str]:
    """The lines of each entry of a legend, and its title."""
    legend = by_title(figure)[panel].get_legend()
    return [text.get_text().split("\n") for text in legend.get_texts()], legend.get_title().get_text()


def _number(line: str) -> float:
    return float(line.strip("± %").replace("−", "-"))


def _judged(table: pd.DataFrame, alpha: float) -> pd.DataFrame:
    return table[table["series"] == f"alpha {alpha:g}, last points"]


def test_legend_is_a_ratio_of_sums_over_the_last_points(folder: Any) -> None:
    """Where the loss falls, the mean of the ratios is another number."""
    loss = np.array([4.0, 4, 4, 2, 2, 1, 0.5, 0.5])
    changes = np.zeros((T, 5, 5))
    changes[:, 0, 3] = 0.1 * np.arange(T)
    folder.spectra(A)
    folder.directions(A, loss=loss, loss_change=changes)
    figure, table = draw(_study(), folder.inputs({A: 2.0}), "")
    entries, title = _legend(figure)
    assert title == "last 5 points\nup to epoch 3.5, beyond the axis"  # none has an interval
    assert entries[2] == ["α = 2", f"+{100 * 2.5 / 6:.2f} %"]  # not 72.00, the mean of the ratios; too few for blocks
    row = _judged(table, 2).iloc[0]
    assert (row["run"], row["y"]) == ("run-A", pytest.approx(100 * 2.5 / 6))
    assert np.isnan([row["low"], row["high"]]).all()
    assert table["y"][table["z"].notna()].max() == 2


def test_legend_of_several_seeds_has_the_interval_of_the_csv(folder: Any) -> None:
    row = StepCurve(run="scnn-c10-sgd-lr0.1-S128-s1001", schedule="step", label="A", change_limit=50)
    curve, factors = row.of_seeds([1001, 1002, 1003]), (1.0, 2.0, 6.0)
    for each, factor in zip(curve.by_seed(), factors, strict=True):
        folder.spectra(each)
        folder.directions(each, loss_change=factor * _changes(np.ones((T, 3)) * [-1, 1, 2]))
    figure, table = draw(_study(curve), folder.inputs(), "")
    assert "points, ± 95 % interval" in _legend(figure)[1]
    half = student.ppf(0.975, 2) * np.std(factors, ddof=1) / np.sqrt(3)
    for entry, alpha, scale in zip(_legend(figure)[0], ALPHAS, (-1, 1, 2), strict=True):
        *single, mean = _judged(table, alpha).to_dict("records")
        assert np.allclose([each["y"] for each in single], scale * np.array(factors))
        assert (mean["run"], mean["y"]) == ("mean of 1001, 1002, 1003", pytest.approx(3 * scale))
        assert [mean["low"], mean["high"]] == pytest.approx(
            [3 * scale - abs(scale) * half, 3 * scale + abs(scale) * half]
        )
        assert [_number(line) for line in entry[1:]] == pytest.approx([mean["y"], mean["high"] - mean["y"]], abs=0.005)


@pytest.mark.parametrize("name", fast(["fig06", "fig15", "fig17", "fig18", "fig20"], "fig18"))
def test_legend_and_claims_judge_the_same_number(folder: Any, name: str) -> None:
    """The study names the points and the direction that the claims about its figure use."""
    config = Path(__file__).parents[3] / "config"
    study = load_project({"scale": "quick"}, config).study(name)
    judged = {
        claim["quantity"]
        for claim in read_ledger(config / "claims.csv")
        if claim["item"] == f"fig{int(name[3:])}" and claim["quantity"].startswith("alpha_change_pct")
    } - {"alpha_change_pct_all"}
    assert len(judged) == 1
    quantity, t = quantity_of(judged.pop()), 110
    sign = np.resize([1, -1], (t, 1, 1))  # anticorrelated points give enough blocks for an error
    changes = 0.1 + sign * np.random.default_rng(1).random((t, 5, 5))
    drawn = _study(direction=study.direction, paper_points=study.paper_points)
    folder.spectra(A, t=t)
    folder.directions(A, t=t, loss_change=changes, loss=np.tile([1.0, 3.0], t // 2))
    figure, table = draw(drawn, folder.inputs(), "")
    source = RunSource(run=A.run, schedules={"spectra": "step", "directions": "step"})
    for entry, alpha in zip(_legend(figure)[0], ALPHAS, strict=True):
        series = quantity.read(RunFiles(source, folder.results), f"{alpha:g}")
        expected = quantity.statistic(series)
        row = _judged(table, alpha).iloc[0]
        assert row["y"] == pytest.approx(expected, rel=1e-12)
        assert _number(entry[1]) == pytest.approx(expected, abs=0.005)
        assert row["high"] - row["y"] == pytest.approx(_number(entry[2]), abs=0.005)


def test_surface_lines_are_mirrored_clipped_and_within_the_grid_limit(folder: Any) -> None:
    folder.spectra(A)
    folder.directions(A)
    figure, table = draw(_study(), folder.inputs(), "")
    axes = by_title(figure)["A: loss along the direction"]
    rows = table[table["panel"] == "A: loss along the direction"]
    assert np.array_equal(
        np.concatenate([np.transpose(line.get_data_3d()) for line in axes.lines]), rows[["x", "y", "z"]]
    )
    assert len(axes.lines) == T
    assert (rows["x"].min(), rows["x"].max()) == (-5, 5)
    loss = 2.0 - 0.1 * np.arange(T)
    for index, line in enumerate(axes.lines):
        k, epoch, z = line.get_data_3d()
        assert set(epoch) == {index / 2}
        assert np.all(np.diff(k) > 0)
        # a higher end at k < 0 in the file is turned to k > 0, so every line rises by the same tilt
        assert np.allclose(z, np.minimum(loss[index] + 0.004 * k**2 + 0.01 * k, loss.max()))
    assert rows["z"].max() == 2.0


def test_surface_colours_follow_the_rank_of_lambda_max(folder: Any) -> None:
    eigenvalues = np.array([3, 900, 1, 5, 4, 2, 8, 7])[:, None] * np.ones(3)
    folder.spectra(A, eigenvalues=eigenvalues)
    folder.directions(A)
    figure, _ = draw(_study(), folder.inputs(), "")
    redness = [to_rgb(line.get_color())[0] for line in by_title(figure)["A: loss along the direction"].lines]
    assert np.argsort(redness).tolist() == np.argsort(eigenvalues[:, 0]).tolist()
    # by rank, so an outlier does not use up the colours
    assert np.ptp(np.sort(redness)[:-1]) > 0.3


def test_layouts(folder: Any) -> None:
    for curve in (A, B):
        folder.spectra(curve)
        folder.directions(curve)
    change, surface = "change of the loss", "loss along the direction"
    for layout, order in (
        ("row", {f"A: {change}": (0, 0), f"B: {change}": (0, 1), f"A: {surface}": (0, 2), f"B: {surface}": (0, 3)}),
        ("rows", {f"A: {change}": (0, 0), f"A: {surface}": (0, 1), f"B: {change}": (1, 0), f"B: {surface}": (1, 1)}),
    ):
        figure, _ = draw(_study(A, B, layout=layout), folder.inputs(), "")
        places = {name: axes.get_subplotspec() for name, axes in by_title(figure).items()}
        assert {name: (spec.rowspan.start, spec.colspan.start) for name, spec in places.items()} == order
