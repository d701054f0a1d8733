"""Curvature, accuracy and learning rate of runs that drop the learning rate at different times (Fig. 12)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sharpest.config.studies.base import Curve
from sharpest.config.studies.first_stage import FirstStage
from sharpest.figures.curvature import curvature_lines, norm_axis, read_tracked, separate
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.style import (
    MISSED,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    PlottedPoints,
    add_foot,
    blue_to_red,
    count_line,
    legend_below,
    new_figure,
    run_label,
    running_mean,
    say_empty,
    styled,
)

_CURVATURE, _ACCURACY, _RATE = "curvature", "accuracy", "learning rate"  # titles of the panels
_ACCURACIES = {"train": "-", "val": "--"}


@styled
def draw(study: FirstStage, inputs: FigureInputs, foot: str) -> tuple[Figure, pd.DataFrame]:
    """Draw each branch behind the part of the trunk before it.

    Args:
        study: What to draw.
        inputs: Spectra and histories.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y. The run is the trunk before the branch; a mean
        over epochs has the run and the epoch of its middle.

    Source: Fig. 12; inventory, Figure 12.
    """
    trunk, *branches = (read_tracked(inputs, curve) for curve in study.curves())
    # a row for each epoch, with its run
    trunk_history, *histories = (inputs[run].history.assign(run=run) for run in study.runs())
    figure = new_figure(3 * 1.25 * PANEL_WIDTH, 1.4 * PANEL_HEIGHT)
    curvature, accuracy, rate = figure.subplots(1, 3)
    norm = norm_axis(curvature)
    curvature.set_title(_CURVATURE)
    accuracy.set(title=f"{_ACCURACY}, solid: training, dashed: validation", xlabel="epoch", ylabel="accuracy (%)")
    rate.set(title=_RATE, xlabel="epoch", ylabel="learning rate")

    points, missed, handles = PlottedPoints(), {}, []
    colours = blue_to_red(len(branches))
    for curve, branch, own, colour in zip(study.branches, branches, histories, colours, strict=True):
        spectrum = _joined(trunk.table, branch.table)
        curvature_lines(curvature, norm, _CURVATURE, curve.label, spectrum, colour, points)
        history = _joined(trunk_history, own)
        _accuracy_lines(accuracy, curve, history, colour, study.smoothing, points)
        _rate_line(rate, curve, history, colour, points)
        missed[curve.label] = [~spectrum["converged"].to_numpy(bool)]
        label = run_label(curve.label, branch.diverged, branch.table.empty)
        handles += accuracy.plot([], [], color=colour, label=label)
    for axes in (curvature, norm, accuracy, rate):
        if not any(np.size(line.get_xdata()) for line in axes.lines):
            say_empty(axes)
    legend_below(accuracy, handles=handles, most_columns=4)
    separate(curvature)
    reading = (
        f"Frobenius norm: of the {trunk.num_eigenpairs} tracked eigenvalues. Before its branch each curve is the run "
        f"{study.trunk.label}."
    )
    add_foot(figure, reading, count_line(MISSED, missed), foot)
    return figure, points.table()


def _joined(trunk: pd.DataFrame, branch: pd.DataFrame) -> pd.DataFrame:
    """The trunk before the first row of the branch, then the branch; nothing where the branch has no row."""
    first = branch["iteration"].min()  # NaN, and so above nothing, where there is none
    return pd.concat([trunk[trunk["iteration"] < first], branch])


def _accuracy_lines(
    axes: Axes, curve: Curve, history: pd.DataFrame, colour: object, smoothing: int, points: PlottedPoints
) -> None:
    for name, dashes in _ACCURACIES.items():
        measured = history[np.isfinite(history[f"{name}_accuracy"])]
        x, y = running_mean(measured[["epoch", f"{name}_accuracy"]].to_numpy().T, smoothing)
        first = (len(measured) - len(x)) // 2
        axes.plot(x, 100 * y, dashes, color=colour)
        runs = measured["run"].to_numpy()[first : first + len(x)]
        points.add(_ACCURACY, f"{curve.label}, {name}_accuracy", runs, x=x, y=100 * y)


def _rate_line(axes: Axes, curve: Curve, history: pd.DataFrame, colour: object, points: PlottedPoints) -> None:
    """A row holds the rate of the epoch that it ends, so the line begins an epoch before the first."""
    rows = pd.concat([history.head(1).assign(epoch=history["epoch"].head(1) - 1), history])
    x, y = rows["epoch"].to_numpy(), rows["lr"].to_numpy()
    axes.step(x, y, where="pre", color=colour)
    points.add(_RATE, curve.label, rows["run"].to_numpy(), x=x, y=y)
