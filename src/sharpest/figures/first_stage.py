"""Curvature, accuracy and learning rate of runs that drop the learning rate at different times (Fig. 12)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sharpest.config.studies.base import Curve
from sharpest.config.studies.first_stage import FirstStage
from sharpest.figures.curvature import OF_SEEDS, Tracked, curvature_lines, norm_axis, read_tracked, separate
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, draw_over_seeds, name_diverged, seeds_line
from sharpest.figures.style import (
    MISSED,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    NotedFigure,
    PlottedPoints,
    count_line,
    legend_below,
    ordered_colours,
    run_label,
    running_mean,
    say_empty,
    styled,
)

_CURVATURE, _ACCURACY, _RATE = "curvature", "accuracy", "learning rate"  # titles of the panels
_ACCURACIES = {"train": "-", "val": "--"}


@dataclass(frozen=True, eq=False)
class _Branch:
    """One seed of a branch, preceded by its trunk.

    Attributes:
        run: Id of the branch.
        tracked: Eigenvalues of trunk and branch.
        history: One row per epoch, with its run.
    """

    run: str
    tracked: Tracked
    history: pd.DataFrame


@styled
def draw(study: FirstStage, inputs: FigureInputs, foot: str) -> tuple[NotedFigure, pd.DataFrame]:
    """Draw each branch, preceded by its trunk.

    Args:
        study: The study to draw.
        inputs: Spectra and histories.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y. The run of points before the branch is the
        trunk; a moving average has the run and the epoch of its central point.

    Source: Fig. 12; inventory, Figure 12.
    """
    curves = {
        curve.label: [_read(inputs, *of_seed) for of_seed in zip(study.trunk.by_seed(), curve.by_seed(), strict=True)]
        for curve in study.branches
    }
    figure = NotedFigure(3 * 1.25 * PANEL_WIDTH, 1.4 * PANEL_HEIGHT)
    curvature, accuracy, rate = figure.subplots(1, 3)
    norm = norm_axis(curvature)
    curvature.set_title(_CURVATURE)
    accuracy.set(title=f"{_ACCURACY}, solid: training, dashed: validation", xlabel="epoch", ylabel="accuracy (%)")
    rate.set(title=_RATE, xlabel="epoch", ylabel="learning rate")

    points, missed, handles = PlottedPoints(), {}, []
    for (label, seeds), colour in zip(curves.items(), ordered_colours(len(curves)), strict=True):
        tracked = [each.tracked for each in seeds]
        curvature_lines(curvature, norm, _CURVATURE, label, tracked, colour, points)
        _accuracy_lines(accuracy, label, seeds, colour, study.smoothing, points)
        _rate_line(rate, label, seeds, colour, points)
        missed[label] = [each.missed for each in tracked]
        diverged = name_diverged({each.run: each.tracked.diverged for each in seeds})
        empty = all(each.table.empty for each in tracked)
        handles += accuracy.plot([], [], color=colour, label=run_label(label, diverged, empty))
    for axes in (curvature, norm, accuracy, rate):
        if not any(np.size(line.get_xdata()) for line in axes.lines):
            say_empty(axes)
    legend_below(accuracy, handles=handles, most_columns=2)
    separate(curvature)
    num_eigenpairs = read_tracked(inputs, study.trunk).num_eigenpairs
    reading = (
        f"Frobenius norm: of the {num_eigenpairs} tracked eigenvalues. Before the branch point, each curve shows the "
        f"run {study.trunk.label}."
    )
    figure.note(reading, count_line(MISSED, missed), seeds_line(map(len, curves.values()), rest=OF_SEEDS), foot)
    return figure, points.table()


def _read(inputs: FigureInputs, trunk: Curve, branch: Curve) -> _Branch:
    """Read one seed of a branch and its trunk."""
    before, tracked = (read_tracked(inputs, curve) for curve in (trunk, branch))
    histories = [inputs[run].history.assign(run=run) for run in (trunk.run, branch.run)]
    return _Branch(branch.run, replace(tracked, table=_joined(before.table, tracked.table)), _joined(*histories))


def _joined(trunk: pd.DataFrame, branch: pd.DataFrame) -> pd.DataFrame:
    """The trunk before the first row of the branch, then the branch; empty if the branch is."""
    first = branch["iteration"].min()  # NaN if the branch is empty, so the comparison below is false
    return pd.concat([trunk[trunk["iteration"] < first], branch])


def _accuracy_lines(
    axes: Axes, label: str, seeds: Sequence[_Branch], colour: object, smoothing: int, points: PlottedPoints
) -> None:
    for name, dashes in _ACCURACIES.items():
        lines = [_accuracies(each, f"{name}_accuracy", smoothing) for each in seeds]
        draw_over_seeds(axes, _ACCURACY, f"{label}, {name}_accuracy", lines, points, linestyle=dashes, color=colour)


def _accuracies(branch: _Branch, column: str, smoothing: int) -> OfSeed:
    measured = branch.history[np.isfinite(branch.history[column])]
    x, y = running_mean(measured[["epoch", column]].to_numpy().T, smoothing)
    first = (len(measured) - len(x)) // 2
    return OfSeed(measured["run"].to_numpy()[first : first + len(x)], x, 100 * y, branch.tracked.diverged)


def _rate_line(axes: Axes, label: str, seeds: Sequence[_Branch], colour: object, points: PlottedPoints) -> None:
    """Draw the learning rate. A row holds the rate of the epoch it ends, so the line starts one epoch earlier."""
    lines = []
    for each in seeds:
        history = each.history
        rows = pd.concat([history.head(1).assign(epoch=history["epoch"].head(1) - 1), history])
        run, x, y = (rows[name].to_numpy() for name in ("run", "epoch", "lr"))
        lines.append(OfSeed(run, x, y, each.tracked.diverged))
    draw_over_seeds(axes, _RATE, label, lines, points, drawstyle="steps-pre", color=colour)
