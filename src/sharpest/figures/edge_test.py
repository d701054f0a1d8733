"""The edge test: spikes after a change of settings against each candidate, and how well each predicts catapults."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sharpest.config.run_id import RunId
from sharpest.config.studies.base import Curve
from sharpest.config.studies.edge_test import EdgeTestStudy
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.style import (
    BLUE,
    GREEN,
    GREY,
    OTHERS,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RED,
    PlottedPoints,
    add_foot,
    count_line,
    new_figure,
    say_empty,
    styled,
)
from sharpest.results.crossing import edge_of
from sharpest.results.edge_test import (
    CANDIDATES,
    INTERVENTIONS,
    TIME,
    EdgeTest,
    edge_test,
    pooled_area,
    resampled_areas,
    roc,
)
from sharpest.results.stored import Measured

_LABELS = {
    "lambda_max": "λ₁",
    "batch_sharpness": "batch sharpness",
    "ratio_of_means": "ratio of means",
    "gni": "GNI",
    "critical_sharpness": "critical sharpness",
    TIME: "iteration",
}
_COLOURS = dict(zip(_LABELS, (BLUE, RED, OTHERS[0], GREEN, OTHERS[2], GREY), strict=True))
_ARM_COLOURS, _MARKERS = (RED, BLUE, GREEN, *OTHERS), "os^Dv*p"
_NAMES = {"lr": "η × {}", "S": "S × {}", "m": "β = {}"}
_COLUMNS = 3
_HEADROOM = 3.0  # times the highest finite spike: where an arm that diverged is drawn
_SPIKES = (
    "Dashed: spike that counts as a catapult, and the edge of the full batch; dotted: with momentum β, 2(1-β)/η, the "
    "edge of small batches. At the top: the arm diverged."
)
_AREAS = (
    "Areas under the ROC of all points and changes, with 95 % intervals: the seeds ({}) and, in each, blocks of points "
    "as long as the arms are drawn again."
)


@styled
def draw(study: EdgeTestStudy, inputs: FigureInputs, foot: str) -> tuple[Figure, pd.DataFrame]:
    """Draw for each run the spike over each candidate, and the ROC of all candidates.

    Args:
        study: What to draw.
        inputs: Interventions and candidates of its runs.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y, low, high. The series of a scatter is the arm;
        one that ends in ``: area`` has the area of a candidate's ROC as y, with its interval where there is one, of all
        arms or of the one it names.
    """
    rows_each = -(-(len(CANDIDATES) + 1) // _COLUMNS)
    num_rows = rows_each * len(study.rows)
    figure = new_figure(_COLUMNS * 1.25 * PANEL_WIDTH, num_rows * 1.1 * PANEL_HEIGHT)
    points, unknown = PlottedPoints(), {}
    for place, row in enumerate(study.rows):
        first = place * rows_each * _COLUMNS + 1
        panels = [figure.add_subplot(num_rows, _COLUMNS, first + k) for k in range(len(CANDIDATES) + 1)]
        unknown[row.label] = _row(panels, row, inputs, points)
    add_foot(
        figure,
        _SPIKES,
        _AREAS.format(", ".join(str(RunId.parse(each.run).seed) for each in study.rows[0].by_seed())),
        count_line("Not drawn: points without a finite candidate, or whose unchanged arm diverged", unknown),
        foot,
    )
    return figure, points.table(("x", "y", "low", "high"))


def _row(panels: Sequence[Axes], row: Curve, inputs: FigureInputs, points: PlottedPoints) -> list[NDArray[np.bool_]]:
    """One run with its seeds; which of its points and candidates are not drawn."""
    seeds = row.by_seed()
    changes = [inputs.measured(INTERVENTIONS, each) for each in seeds]
    tests = [edge_test(partial(_measured, inputs, each)) for each in seeds]
    unknown = []
    for axes, candidate in zip(panels, CANDIDATES, strict=False):
        title = f"{row.label}: {_LABELS[candidate]}"
        axes.set(title=title, xlabel=f"{_LABELS[candidate]} / edge", ylabel="spike", yscale="log")
        unknown += [
            _scatter(axes, title, candidate, test, each, points) for test, each in zip(tests, changes, strict=True)
        ]
        _references(axes, changes[0])
    if panels[0].get_legend_handles_labels()[0]:
        _legend_of_arms(panels[0], tests[0].arms)
    _areas(panels[-1], f"{row.label}: ROC", tests, [each.run for each in changes], points)
    return unknown


def _measured(inputs: FigureInputs, curve: Curve, measure: str) -> Measured:
    return inputs.measured(measure, curve)


def _name(arm: str) -> str:
    """An arm as a reader knows it."""
    kind = "lr" if arm.startswith("lr") else arm[:1]
    return _NAMES[kind].format(arm.removeprefix(kind))


def _scatter(
    axes: Axes, title: str, candidate: str, test: EdgeTest, changes: Measured, points: PlottedPoints
) -> NDArray[np.bool_]:
    """The spikes of one seed over a candidate; which points and arms are not drawn."""
    x = test.candidates[candidate] / edge_of(changes)
    finite = test.spike[np.isfinite(test.spike)]
    top = _HEADROOM * finite.max(initial=1.0)
    shown = np.isfinite(x)[:, None] & ~np.isnan(test.spike)
    for place, arm in enumerate(test.arms):
        rows = shown[:, place]
        y = np.minimum(test.spike[rows, place], top)
        axes.scatter(x[rows], y, s=7, marker=_MARKERS[place % 7], facecolors="none", linewidths=0.6,
                     edgecolors=_ARM_COLOURS[place % len(_ARM_COLOURS)], label=_name(arm))  # fmt: skip
        points.add(title, _name(arm), changes.run, x=x[rows], y=test.spike[rows, place])
    return ~shown


def _references(axes: Axes, changes: Measured) -> None:
    """The factor of a catapult, the edge, and with momentum that of small batches."""
    axes.axhline(changes.settings["factor"], color=GREY, linestyle="--", linewidth=0.7)
    axes.axvline(1, color=GREY, linestyle="--", linewidth=0.7)
    if momentum := changes.attributes["config"]["run"]["momentum"]:
        axes.axvline(2 * (1 - momentum) / changes.lr / edge_of(changes), color=GREY, linestyle=":", linewidth=0.9)


def _legend_of_arms(axes: Axes, arms: Sequence[str]) -> None:
    handles, _ = axes.get_legend_handles_labels()
    axes.legend(handles=handles[: len(arms)], loc="upper left", handletextpad=0.2)


def _areas(axes: Axes, title: str, tests: Sequence[EdgeTest], runs: Sequence[str], points: PlottedPoints) -> None:
    """The ROC of each candidate, with its area."""
    axes.set(title=title, xlabel="false positives", ylabel="true positives", aspect="equal")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=0.7)
    together = runs[0] if len(runs) == 1 else f"seeds {', '.join(str(RunId.parse(run).seed) for run in runs)}"
    resampled = resampled_areas(tests, list(_LABELS))
    for candidate, label in _LABELS.items():
        area = pooled_area(tests, candidate)
        if np.isnan(area):
            continue
        low, high = np.nanpercentile(resampled[candidate], (2.5, 97.5))
        scores, labels = zip(*(test.samples(candidate) for test in tests), strict=True)
        x, y = roc(np.concatenate(scores), np.concatenate(labels))
        axes.plot(x, y, color=_COLOURS[candidate], linestyle="--" if candidate == TIME else "-",
                  label=f"{label} {area:.2f} ({low:.2f}-{high:.2f})")  # fmt: skip
        points.add(title, label, together, x=x, y=y)
        points.add(title, f"{label}: area", together, y=area, low=low, high=high)
        for place, arm in enumerate(tests[0].arms):
            points.add(title, f"{label}, {_name(arm)}: area", together, y=pooled_area(tests, candidate, place))
    if len(axes.lines) == 1:
        say_empty(axes)
        return
    axes.legend(loc="lower right", fontsize=5.5, handlelength=1.2, labelspacing=0.2, borderaxespad=0.2)
