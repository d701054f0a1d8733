"""Panels of the largest eigenvalues, plain and composite, compared with the numbers in the files."""

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from sharpest.config.studies import EigenvalueCurve, EigenvaluePanel, LargestEigenvalues
from sharpest.errors import ConfigError
from sharpest.figures.canvas import ordered_colours
from sharpest.figures.lines import largest_eigenvalues as draw

from .conftest import labels


def _panel(title: str, labels: str, **options: Any) -> EigenvaluePanel:
    curves = tuple(EigenvalueCurve(run=f"run-{title}{x}", schedule="grid", label=x, **options) for x in labels)
    return EigenvaluePanel(title=title, curves=curves)


def _study(*rows: tuple[EigenvaluePanel, ...], **options: Any) -> LargestEigenvalues:
    values = {"num_eigenvalues": 2, "scale": "log", "composite": False} | options
    return LargestEigenvalues(kind="largest_eigenvalues", caption="", rows=rows, **values)


def _write(folder: Any, study: LargestEigenvalues, *spectra: dict[str, Any]) -> None:
    """The spectra of the curves, one after another."""
    for curve, options in zip(study.curves(), spectra, strict=True):
        folder.spectra(curve, **options)


def _points(axes: Axes) -> np.ndarray:
    return np.concatenate([line.get_xydata() for line in axes.lines])


def test_lines_are_the_true_first_two_eigenvalues_whole_runs_of_any_length(folder: Any) -> None:
    study = _study((_panel("P", "ab"),))
    _write(folder, study, {}, {"t": 5})
    figure, table = draw(study, folder.inputs(), "")
    (axes,) = figure.axes
    assert np.array_equal(_points(axes), table[["x", "y"]])
    # eigenvalues in the file are (t + 1) * (3, 2, 1) + 0.1, every half epoch
    for label, t in (("a", 8), ("b", 5)):
        for index in (1, 2):
            rows = table[table["series"] == f"{label}, lambda_{index}"]
            assert np.allclose(rows["x"], np.arange(t) / 2)
            assert np.allclose(rows["y"], (np.arange(t) + 1) * (4 - index) + 0.1)
            assert set(rows["run"]) == {f"run-P{label}"}
    assert set(table["panel"]) == {"P"}
    assert [line.get_linestyle() for line in axes.lines[:4]] == ["-", "-.", "-", "-."]
    assert axes.get_yscale() == "log"
    assert axes.get_xlim() == (0, 3.5)


def test_an_axis_that_ends_early_leaves_out_the_rest(folder: Any) -> None:
    converged = np.ones((8, 3), dtype=bool)
    converged[1, 0] = converged[7, 0] = False
    study = _study((_panel("P", "ab"),), last_epoch=1.5)
    _write(folder, study, {"converged": converged}, {"t": 2})
    figure, table = draw(study, folder.inputs(), "")
    assert table.groupby("run")["x"].max().to_dict() == {"run-Pa": 1.5, "run-Pb": 0.5}
    assert figure.axes[0].get_xlim() == (0, 1.5)
    assert "(P: 1 of 12)" in "\n".join(figure.notes)


def test_composite_halves_are_the_window_and_the_whole_run(folder: Any) -> None:
    study = _study((_panel("P", "ab"),), composite=True)
    _write(folder, study, {}, {"t": 5})
    figure, table = draw(study, folder.inputs(dict.fromkeys(study.curves(), 1.5)), "")
    (axes,) = figure.axes
    early, whole = axes.child_axes
    for half, panel, end in ((early, "P, early", 1.5), (whole, "P", 3.5)):
        rows = table[table["panel"] == panel]
        assert np.array_equal(_points(half), rows[["x", "y"]])
        assert half.get_xlim() == (0, end)
        assert rows["x"].max() == end
    assert np.array_equal(
        table[(table["panel"] == "P") & (table["x"] <= 1.5)][["series", "x", "y"]],
        table[table["panel"] == "P, early"][["series", "x", "y"]],
    )
    # side by side, of equal width and with one y axis
    figure.draw_without_rendering()
    left, right, both = (place.get_window_extent() for place in (early, whole, axes))
    assert np.allclose([left.x0, left.x1, right.x1], [both.x0, (both.x0 + both.x1) / 2, both.x1])
    assert left.x1 == pytest.approx(right.x0)
    assert early.get_ylim() == whole.get_ylim()
    assert to_rgb(whole.spines.left.get_edgecolor()) == to_rgb("blue")
    # real epochs on both sides, no tick at the bar
    for half, inside in ((early, (0, 1.5)), (whole, (0, 3.5))):
        ticks = [tick for tick in half.get_xticks() if inside[0] <= tick <= inside[1]]
        assert len(ticks) >= 2
    assert 0 not in whole.get_xticks()
    assert 1.5 not in early.get_xticks()


def test_the_widest_window_of_a_panel_holds_for_all_its_runs(folder: Any) -> None:
    study = _study((_panel("P", "ab"),), composite=True)
    _write(folder, study, {}, {})
    _, table = draw(study, folder.inputs(dict(zip(study.curves(), (0.5, 2.0), strict=True))), "")
    early = table[table["panel"] == "P, early"]
    assert early.groupby("run")["x"].max().tolist() == [2.0, 2.0]


def test_composite_needs_a_window(folder: Any) -> None:
    study = _study((_panel("P", "a"),), composite=True)
    _write(folder, study, {})
    with pytest.raises(ConfigError, match=r"schedules\.grid has no window_epochs"):
        draw(study, folder.inputs(), "")


def test_colours_follow_the_order_of_the_panel_unless_named(folder: Any) -> None:
    study = _study((_panel("P", "abc"), _panel("Q", "a", colour="blue")))
    _write(folder, study, {}, {}, {}, {})
    figure, _ = draw(study, folder.inputs(), "")
    first, second = figure.axes
    assert [line.get_color() for line in first.lines[:6:2]] == ordered_colours(3)
    assert second.lines[0].get_color() == ordered_colours(3)[2]
    handles = first.get_legend().legend_handles
    assert [handle.get_color() for handle in handles] == ordered_colours(3)
    assert labels(figure) == ["a", "b", "c"]


def test_panels_stand_row_by_row(folder: Any) -> None:
    study = _study((_panel("P", "a"), _panel("Q", "ab")), (_panel("R", "a"),))
    _write(folder, study, *({"t": t} for t in (3, 4, 5, 6)))
    figure, table = draw(study, folder.inputs(), "")
    places = [(spec.rowspan.start, spec.colspan.start) for spec in (axes.get_subplotspec() for axes in figure.axes)]
    assert dict(zip((axes.get_title(loc="left") for axes in figure.axes), places, strict=True)) == {
        "P": (0, 0), "Q": (0, 1), "R": (1, 0)
    }  # fmt: skip
    counts = table[table["series"].str.endswith("lambda_1")].groupby("run").size()
    assert counts.to_dict() == {"run-Pa": 3, "run-Qa": 4, "run-Qb": 5, "run-Ra": 6}


@pytest.mark.parametrize(("scale", "num_points"), [("log", 13), ("linear", 16)])
def test_a_logarithmic_axis_leaves_out_and_counts_what_is_not_positive(
    folder: Any, scale: str, num_points: int
) -> None:
    eigenvalues = np.ones((8, 3))
    eigenvalues[0] = [0, -1, -2]
    eigenvalues[5, 1] = -0.5
    study = _study((_panel("P", "a"),), scale=scale)
    _write(folder, study, {"eigenvalues": eigenvalues})
    figure, table = draw(study, folder.inputs(), "reduced")
    assert len(table) == num_points == len(_points(figure.axes[0]))
    assert (table["y"] > 0).all() == (scale == "log")
    foot = " ".join(" ".join(figure.notes).split())
    assert foot.endswith("at or below zero (P: 3 of 16). reduced") == (scale == "log")


def test_few_decades_get_ticks_between_powers_of_ten(folder: Any) -> None:
    narrow, wide = (np.geomspace(1, top, 8)[:, None] * np.ones(3) for top in (9.0, 9000.0))
    study = _study((_panel("P", "a"), _panel("Q", "a")))
    _write(folder, study, {"eigenvalues": narrow}, {"eigenvalues": wide})
    figure, _ = draw(study, folder.inputs(), "")
    figure.draw_without_rendering()
    for axes, expected in zip(figure.axes, (["1", "2", "5", "10"], ["1", "10", "100", "1000", "10000"]), strict=True):
        low, high = axes.get_ylim()
        shown = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
        assert [label.get_text() for tick, label in shown if low <= tick <= high] == expected
