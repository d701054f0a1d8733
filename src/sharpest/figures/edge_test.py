"""The edge test: spikes after changes of settings against each candidate, and how well candidates predict catapults."""

from collections.abc import Sequence
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from sharpest.claims.edges import (
    INTERVENTIONS,
    TIME,
    EdgeTest,
    edge_of,
    edge_test,
    pooled_area,
    pooled_roc,
    resampled_areas,
)  # fmt: skip
from sharpest.config.run_id import RunId
from sharpest.config.studies import Curve, EdgeTestStudy
from sharpest.figures.canvas import (
    BLUE,
    DASHES,
    GREEN,
    GREY,
    MARKERS,
    OTHERS,
    RED,
    Canvas,
    FigureInputs,
    Panel,
    drawing,
)
from sharpest.results.stored import Measured

_LABELS = {
    TIME: "iteration",
    "lambda_max": "λ₁",
    "batch_sharpness": "batch sharpness",
    "ratio_of_means": "ratio of means",
    "gni": "GNI",
    "critical_sharpness": "critical sharpness",
}
_COLOURS = (GREY, BLUE, RED, OTHERS[0], GREEN, OTHERS[2])
_LOOKS = dict(zip(_LABELS, zip(_COLOURS, cycle(DASHES)), strict=False))
_ARM_COLOURS = (RED, BLUE, GREEN, *OTHERS)
_NAMES = {"lr": "η × {}", "S": "S × {}", "m": "β = {}"}
_FACTORS, _TICKS = np.geomspace(1.25, 40, 21), (2, 5, 10, 20, 40)  # thresholds of a catapult in the last panel
_COLUMNS = 4
_NEAR = 1.5  # an edge is drawn up to this multiple of the largest value; a more distant one would squeeze the points
_HEADROOM = 3.0  # a diverged arm is drawn at this multiple of the highest finite spike
_SPIKES = (
    "Dashed: the spike that counts as a catapult in the ROC, and the edge of the full batch. Dotted: with momentum β, "
    "the edge of small batches, 2(1-β)/η. An edge far from all points is left out. Points at the top: the arm diverged."
)
_AREAS = (
    "Areas under the ROC of all points and changes, with 95 % intervals from resampled seeds ({}) and, within each "
    "seed, resampled blocks of points as long as the arms. Last panels: these areas for other catapult thresholds."
)


@drawing
def draw(canvas: Canvas, study: EdgeTestStudy, inputs: FigureInputs) -> None:
    """Draw, for each run, spikes against each candidate, the ROC curves, and their areas against the threshold.

    The series of a scatter is the arm. A series that ends in ``: area`` has as y the area under the ROC of a candidate,
    for all arms or the one it names; low and high are its interval, if it has one.
    """
    canvas.columns, num_panels = ("x", "y", "low", "high"), len(_LABELS) + 2
    rows_each = -(-num_panels // _COLUMNS)
    canvas.lay_out(rows_each * len(study.rows), _COLUMNS, 1, 1)
    canvas.left_out_are = "Not drawn: points without a finite candidate, or whose unchanged arm diverged"
    for row in study.rows:
        _row(canvas, row, inputs)
        for _ in range(rows_each * _COLUMNS - num_panels):
            next(canvas.places)
    seeds = ", ".join(str(RunId.parse(single.run).seed) for single in study.rows[0].by_seed())
    canvas.note(_SPIKES, _AREAS.format(seeds))


def _row(canvas: Canvas, row: Curve, inputs: FigureInputs) -> None:
    """Draw one run with its seeds."""
    seeds = row.by_seed()
    changes = [inputs.measured(INTERVENTIONS, each) for each in seeds]
    tests = [edge_test(partial(_measured, inputs, each)) for each in seeds]
    for candidate, name in _LABELS.items():
        xlabel = "iteration" if candidate == TIME else "over the edge"
        panel = canvas.panel(f"{row.label}: {name}", group=row.label, xlabel=xlabel, ylabel="spike", yscale="log")
        for test, each in zip(tests, changes, strict=True):
            _scatter(panel, candidate, test, each)
        largest = max(np.nanmax(test.candidates[candidate], initial=0.0) for test in tests)
        _references(panel.axes, candidate, changes[0], largest)
        if candidate == next(iter(_LABELS)):
            handles, _ = panel.axes.get_legend_handles_labels()
            arms = handles[: len(tests[0].arms)]
            panel.axes.legend(handles=arms, loc="upper left", handletextpad=0.2, borderaxespad=0.1)
    pooled = _pooled_name([each.run for each in changes])
    roc = canvas.panel(f"{row.label}: ROC", xlabel="false positives", ylabel="true positives")
    _roc_curves(roc, tests, pooled)
    areas = canvas.panel(f"{row.label}: area under the ROC", xlabel="least spike of a catapult", ylabel="area")
    areas.axes.axvline(changes[0].settings["factor"], color=GREY, linestyle="--", linewidth=0.7)
    _areas_by_factor(areas, tests, pooled)


def _pooled_name(runs: Sequence[str]) -> str:
    """The run column of points pooled over seeds."""
    return runs[0] if len(runs) == 1 else f"seeds {', '.join(str(RunId.parse(run).seed) for run in runs)}"


def _measured(inputs: FigureInputs, curve: Curve, measure: str) -> Measured:
    return inputs.measured(measure, curve)


def _name(arm: str) -> str:
    """The display name of an arm."""
    kind = "lr" if arm.startswith("lr") else arm[:1]
    return _NAMES[kind].format(arm.removeprefix(kind))


def _scatter(panel: Panel, candidate: str, test: EdgeTest, changes: Measured) -> None:
    """Draw the spikes of one seed against a candidate; count which points and arms are not drawn."""
    x = test.candidates[candidate] / (1 if candidate == TIME else edge_of(changes))
    top = _HEADROOM * test.spike[np.isfinite(test.spike)].max(initial=1.0)
    drawn = np.isfinite(x)[:, None] & ~np.isnan(test.spike)
    for index, arm in enumerate(test.arms):
        rows, colour = drawn[:, index], _ARM_COLOURS[index % len(_ARM_COLOURS)]
        panel.axes.scatter(
            x[rows], np.minimum(test.spike[rows, index], top), s=7, marker=MARKERS[index % len(MARKERS)],
            facecolors="none", edgecolors=colour, linewidths=0.6, label=_name(arm),
        )  # fmt: skip
        panel.record(_name(arm), changes.run, x=x[rows], y=test.spike[rows, index])
    panel.canvas.left_out[panel.group].append(~drawn)


def _references(axes: Axes, candidate: str, changes: Measured, largest: float) -> None:
    """Draw the catapult threshold and, against a curvature, the edges near its largest value."""
    axes.axhline(changes.settings["factor"], color=GREY, linestyle="--", linewidth=0.7)
    if candidate == TIME:
        return
    momentum, edge = changes.attributes["config"]["run"]["momentum"], edge_of(changes)
    small_batch = {2 * (1 - momentum) / changes.lr / edge: ":"} if momentum else {}
    for x, dashes in {1.0: "--", **small_batch}.items():
        if x <= _NEAR * largest / edge:
            axes.axvline(x, color=GREY, linestyle=dashes, linewidth=0.9)


def _roc_curves(panel: Panel, tests: Sequence[EdgeTest], pooled: str) -> None:
    """Draw the ROC of each candidate, with its area in the legend."""
    axes = panel.axes
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=0.7)
    resampled = resampled_areas(tests, list(_LABELS))
    for candidate, label in _LABELS.items():
        area = pooled_area(tests, candidate)
        if np.isnan(area):
            continue
        low, high = np.nanpercentile(resampled[candidate], (2.5, 97.5))
        x, y = pooled_roc(tests, candidate)
        axes.plot(x, y, label=f"{label} {area:.2f} ({low:.2f}-{high:.2f})", **_look(candidate))
        panel.record(label, pooled, x=x, y=y)
        panel.record(f"{label}: area", pooled, y=area, low=low, high=high)
        for index, arm in enumerate(tests[0].arms):
            panel.record(f"{label}, {_name(arm)}: area", pooled, y=pooled_area(tests, candidate, index))
    if not panel.num_points:
        return
    box = {"frameon": True, "framealpha": 0.8, "edgecolor": "none"}
    axes.legend(loc="lower right", fontsize=5, handlelength=1.2, labelspacing=0.2, borderaxespad=0.1, **box)


def _areas_by_factor(panel: Panel, tests: Sequence[EdgeTest], pooled: str) -> None:
    """Draw the area under the ROC of each candidate against the catapult threshold."""
    axes = panel.axes
    axes.set(xscale="log", ylim=(0, 1))
    axes.set_xticks(_TICKS, [f"{tick}" for tick in _TICKS])
    axes.minorticks_off()
    axes.axhline(0.5, color=GREY, linestyle=":", linewidth=0.7)
    for candidate, label in _LABELS.items():
        areas = np.array([pooled_area([test.at(factor) for test in tests], candidate) for factor in _FACTORS])
        known = np.isfinite(areas)
        axes.plot(_FACTORS[known], areas[known], **_look(candidate))
        panel.record(label, pooled, x=_FACTORS[known], y=areas[known])


def _look(candidate: str) -> dict[str, Any]:
    colour, dashes = _LOOKS[candidate]
    return {"color": colour, "linestyle": dashes}
