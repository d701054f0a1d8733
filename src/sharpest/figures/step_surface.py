"""Loss change for scaled steps along a direction, and the loss along it, over training (Figs. 6, 15-18, 20)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from sharpest.config.studies.step_surface import StepCurve, StepSurface
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.style import (
    BLUE,
    GREEN,
    OTHERS,
    PANEL_WIDTH,
    RED,
    PlottedPoints,
    add_foot,
    blue_to_red,
    divergence_line,
    legend_below,
    new_figure,
    say_empty,
    styled,
)
from sharpest.measures.directions.reader import Directions
from sharpest.measures.spectra.reader import Spectra
from sharpest.results.stored import common_points

NUM_AVERAGED = 25  # last points behind the quoted means (inventory, Figure 6)

_COLOURS = (BLUE, GREEN, RED, *OTHERS)  # of the code, for increasing alpha (inventory, Figure 6b)
# the axis is widened when more than this share of the points lies outside, so far that the other share is inside
_TOLERATED_OUTSIDE, _HELD_INSIDE = 0.25, 0.95
_EDGE = 0.96  # of the limit, where points outside are drawn
_READING = (
    "Triangles: points outside the axis. Loss along the direction: one line a measurement, blue to red by rank of the "
    "largest eigenvalue, the higher end turned to k > 0, cut at the largest loss of the run."
)
_DIRECTION_NAMES = {0: "the full step", -1: "a random direction"}


@dataclass(frozen=True)
class _Measured:
    """One run along one direction; t measurements, each array in order of time."""

    epoch: NDArray[np.float64]  # (t,)
    changes: Mapping[float, NDArray[np.float64]]  # alpha -> (t,), per cent of the loss; NaN where not measured
    grid: NDArray[np.float64]  # (g,), k within the drawn limit
    profile: NDArray[np.float64]  # (t, g), nats
    lambda_max: NDArray[np.float64]  # (t,), nats
    largest_loss: float  # nats, at k = 0 over the whole run
    diverged: str


@styled
def draw(study: StepSurface, inputs: FigureInputs, foot: str) -> tuple[Figure, pd.DataFrame]:
    """Draw a scatter panel and a 3-D panel for each run.

    Points outside the scatter's axis are drawn as triangles at its edge, and keep their value in the returned points.

    Args:
        study: What to draw.
        inputs: Spectra and directions, and as windows the epochs drawn, where None is the whole run.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y, z; z is NaN for the scatter panels.

    Source: Figs. 6, 15-18, 20; inventory, Figures 6 and 20.
    """
    num_runs = len(study.rows)
    num_rows, num_columns = (1, 2 * num_runs) if study.layout == "row" else (num_runs, 2)
    figure = new_figure(num_columns * PANEL_WIDTH * (1 if study.layout == "row" else 1.25), num_rows * 3.3)
    points = PlottedPoints()
    diverged = {}
    for index, curve in enumerate(study.rows):
        measured, window = _read(study, curve, inputs), inputs.window(curve)
        diverged[curve.label] = measured.diverged
        scatter, surface = (index, num_runs + index) if study.layout == "row" else (2 * index, 2 * index + 1)
        limit = np.inf if window is None else window
        _scatter_panel(figure.add_subplot(num_rows, num_columns, scatter + 1), curve, measured, limit, points)
        axes = figure.add_subplot(num_rows, num_columns, surface + 1, projection="3d")
        _surface_panel(axes, study, curve, measured, limit, points)
    add_foot(figure, _READING, divergence_line(diverged), foot)
    return figure, points.table(("x", "y", "z"))


def _read(study: StepSurface, curve: StepCurve, inputs: FigureInputs) -> _Measured:
    spectra, directions = common_points(inputs.read(Spectra, curve), inputs.read(Directions, curve))
    along, loss = directions.along(study.direction), directions.loss
    drawn = np.abs(directions.grid) <= study.grid_limit
    return _Measured(
        epoch=directions.epoch,
        changes={alpha: 100 * along.at(alpha) / loss for alpha in study.alphas},
        grid=directions.grid[drawn],
        profile=along.profile[:, drawn],
        lambda_max=spectra.lambda_max,
        largest_loss=float(np.max(loss[np.isfinite(loss)], initial=-np.inf)),
        diverged=spectra.divergence,
    )


def _scatter_panel(axes: Axes, curve: StepCurve, measured: _Measured, window: float, points: PlottedPoints) -> None:
    panel = f"{curve.label}: change of the loss"
    axes.set(title=panel, xlabel="epoch", ylabel="change of the loss (%)")
    chosen = {alpha: np.isfinite(change) & (measured.epoch <= window) for alpha, change in measured.changes.items()}
    drawn = np.abs(np.concatenate([measured.changes[alpha][rows] for alpha, rows in chosen.items()]))
    if not drawn.size:
        say_empty(axes)
        return
    limit = curve.change_limit
    if np.mean(drawn > limit) > _TOLERATED_OUTSIDE:
        limit = float(np.quantile(drawn, _HELD_INSIDE, method="higher"))
        axes.set_ylabel("change of the loss (%)\naxis widened")
    axes.axhline(0, color="black", linestyle="--", linewidth=0.7)
    # two means where the run is measured beyond the window: of what is drawn, and of all
    ends = [window, np.inf] if np.any(measured.epoch > window) else [np.inf]
    for (alpha, rows), colour in zip(chosen.items(), cycle(_COLOURS)):
        x, y = measured.epoch[rows], measured.changes[alpha][rows]
        means = "\n".join(f"{_last_mean(measured, alpha, end):+.2f} %" for end in ends).replace("-", "−")
        inside = np.abs(y) <= limit
        axes.scatter(x[inside], y[inside], s=8, color=colour, linewidths=0, alpha=0.85, label=f"α = {alpha:g}\n{means}")
        for marker, outside in (("^", y > limit), ("v", y < -limit)):
            edge = _EDGE * limit * np.sign(y[outside])
            axes.scatter(x[outside], edge, s=12, marker=marker, color=colour, linewidths=0)
        points.add(panel, f"alpha {alpha:g}", curve.run, x=x, y=y)
    axes.set_ylim(-limit, limit)
    num_averaged = min(NUM_AVERAGED, max(int(rows.sum()) for rows in chosen.values()))
    title = f"mean of the last {num_averaged} points"
    if len(ends) > 1:
        title += f"\nto epoch {window:g}, and below to epoch {measured.epoch[-1]:.3g}"
    legend_below(axes, title=title, ncols=3, handletextpad=0.2, columnspacing=1.5)


def _last_mean(measured: _Measured, alpha: float, end: float) -> float:
    """Mean relative change, per cent, of the last measured points up to an epoch."""
    change = measured.changes[alpha]
    return float(np.mean(change[np.isfinite(change) & (measured.epoch <= end)][-NUM_AVERAGED:]))


def _below(
    grid: NDArray[np.float64], profile: NDArray[np.float64], limit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The part of a profile around its lowest point that stays below a limit, with one point at the limit each side."""
    above = np.flatnonzero(profile > limit)
    lowest = int(np.argmin(profile))
    first = above[above < lowest].max(initial=0)
    last = above[above > lowest].min(initial=len(grid) - 1)
    return grid[first : last + 1], np.minimum(profile[first : last + 1], limit)


def _surface_panel(
    axes: Any, study: StepSurface, curve: StepCurve, measured: _Measured, window: float, points: PlottedPoints
) -> None:
    panel = f"{curve.label}: loss along the direction"
    rows = np.flatnonzero(~np.isnan(measured.profile).any(axis=1) & (measured.epoch <= window))
    axes.set_title(panel)
    direction = _DIRECTION_NAMES.get(study.direction, f"$e_{study.direction}$")
    axes.set_xlabel(f"k, mean steps along {direction}", labelpad=-7)
    axes.set_ylabel("epoch", labelpad=-7)
    axes.set_zlabel("loss (nats)", labelpad=-6)
    axes.tick_params(pad=-2, labelsize=6.5)
    if not rows.size:
        say_empty(axes)
        return
    ranks = np.argsort(np.argsort(measured.lambda_max[rows]))
    colours = blue_to_red(len(rows))
    for row, rank in zip(rows, ranks, strict=True):
        k, loss = _below(measured.grid, measured.profile[row], measured.largest_loss)
        if measured.profile[row][0] > measured.profile[row][-1]:
            k, loss = -k[::-1], loss[::-1]
        axes.plot(k, np.full(len(k), measured.epoch[row]), loss, color=colours[rank], linewidth=0.7)
        points.add(panel, f"epoch {measured.epoch[row]:g}", curve.run, x=k, y=measured.epoch[row], z=loss)
    axes.set(xlim=(-study.grid_limit, study.grid_limit), zlim=(None, measured.largest_loss))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.view_init(elev=22, azim=-68)
    axes.set_box_aspect((4, 4, 3.4), zoom=1.12)
