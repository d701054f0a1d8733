"""Eigenvalues along training, optionally with an early window, accuracies and a schematic (Figs. 1, 2, 3, 9)."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sharpest.config.studies.spectrum_evolution import SpectrumEvolution
from sharpest.figures.accuracy import accuracy_panel
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, draw_over_seeds, name_diverged, seeds_line
from sharpest.figures.style import (
    GREY,
    MISSED,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RED,
    NotedFigure,
    PlottedPoints,
    count_line,
    divergence_line,
    ordered_colours,
    say_empty,
    styled,
)
from sharpest.measures.spectra.reader import Spectra

# valleys of the sketch: curvature, height of the bottom, half width, start and end of the step
_VALLEYS = {"A": (0.35, 2.35, 2.0, -1.7, -0.8), "B": (1.3, 1.15, 1.2, -0.95, 1.05), "C": (3.6, 0.0, 0.75, -0.6, 0.66)}

_OF_SEEDS = "band and thin lines, for the largest eigenvalue: one standard deviation, single seeds"


@styled
def draw(study: SpectrumEvolution, inputs: FigureInputs, foot: str) -> tuple[NotedFigure, pd.DataFrame]:
    """Draw one row of panels for each run, or all panels in one row.

    Args:
        study: The study to draw.
        inputs: Spectra, and early windows if ``study.early``.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y.

    Raises:
        ConfigError: If an early window is drawn and a schedule has none.

    Source: Figs. 1, 2, 3 and 9; inventory, Figures 1, 2, 3 and 9.
    """
    panels_a_run = (1 + study.accuracy) * (1 + study.early)
    num_rows, num_columns = len(study.rows), panels_a_run
    if study.layout == "row":
        num_rows, num_columns = 1, num_rows * num_columns
    num_columns += study.sketch
    figure = NotedFigure(num_columns * PANEL_WIDTH, num_rows * PANEL_HEIGHT + 0.3)
    grid = figure.add_gridspec(num_rows, num_columns)
    places = [grid[row, column] for row in range(num_rows) for column in range(study.sketch, num_columns)]
    points = PlottedPoints()
    if study.sketch:
        _sketch(figure.add_subplot(grid[:, 0]), points)
    missed, diverged = {}, {}
    for index, curve in enumerate(study.rows):
        seeds = inputs.by_seed(Spectra, curve)
        missed[curve.label] = [~spectra.converged[:, : study.num_eigenvalues] for spectra in seeds]
        diverged[curve.label] = name_diverged({spectra.run: spectra.divergence for spectra in seeds})
        limits = {"": np.inf}
        if study.early:
            limits[", early"] = inputs.early_window(curve)
        axes = [figure.add_subplot(place) for place in places[index * panels_a_run : (index + 1) * panels_a_run]]
        _row_of_panels(axes, study, curve.label, seeds, limits, points)
    over_seeds = seeds_line((len(curve.by_seed()) for curve in study.rows), rest=_OF_SEEDS)
    figure.note(count_line(MISSED, missed), divergence_line(diverged), over_seeds, foot)
    return figure, points.table()


def _row_of_panels(
    axes: list[Axes],
    study: SpectrumEvolution,
    label: str,
    seeds: Sequence[Spectra],
    limits: Mapping[str, float],
    points: PlottedPoints,
) -> None:
    """Draw the panels of one run: eigenvalues up to each limit in epochs, then accuracies up to each limit."""
    for column, (suffix, limit) in enumerate(limits.items()):
        _spectrum_panel(axes[column], f"{label}: eigenvalues{suffix}", study, seeds, limit, points)
        if study.accuracy:
            accuracy_panel(axes[len(limits) + column], f"{label}: accuracy{suffix}", seeds, limit, points)
        for panel in axes[column :: len(limits)]:
            panel.set_xlim(left=0, right=limit if np.isfinite(limit) else None)
    longest = max(seeds, key=lambda spectra: spectra.epoch.max(initial=0))
    if study.steps_axis and longest.epoch.max(initial=0) > 0:
        for panel in axes:
            _add_steps(panel, float(longest.iteration.max() / longest.epoch.max()))


def _add_steps(axes: Axes, steps_per_epoch: float) -> None:
    """Add a second x axis in iterations, at the top."""
    if axes.axison:
        conversions = partial(np.multiply, steps_per_epoch), partial(np.multiply, 1 / steps_per_epoch)
        axes.secondary_xaxis("top", conversions).set_xlabel("iteration")


def _spectrum_panel(
    axes: Axes, panel: str, study: SpectrumEvolution, seeds: Sequence[Spectra], limit: float, points: PlottedPoints
) -> None:
    """Draw one line per eigenvalue up to an epoch; only the largest one with its band and single seeds."""
    axes.set(title=panel, xlabel="epoch", ylabel="eigenvalue")
    if study.scale == "symlog":
        axes.set_yscale("symlog", linthresh=1)
    lines = [_by_eigenvalue(spectra, study.num_eigenvalues, limit) for spectra in seeds]
    if not any(len(of_seed[0].x) for of_seed in lines):
        say_empty(axes)
        return
    colours = ordered_colours(len(lines[0]))[::-1]
    for index, (of_seeds, colour) in enumerate(zip(zip(*lines, strict=True), colours, strict=True)):
        # where lines meet, the largest eigenvalue is on top
        draw_over_seeds(axes, panel, f"lambda_{index + 1}", of_seeds, points, mean_only=index > 0,
                        color=colour, linewidth=0.8, zorder=3 - index / len(colours))  # fmt: skip


def _by_eigenvalue(spectra: Spectra, num_eigenvalues: int, limit: float) -> list[OfSeed]:
    """Each of the largest eigenvalues up to an epoch, at the points where all of them are finite."""
    eigenvalues, missed = spectra.eigenvalues[:, :num_eigenvalues], ~spectra.converged[:, :num_eigenvalues]
    rows = np.isfinite(eigenvalues).all(axis=1) & (spectra.epoch <= limit)
    return [
        OfSeed(spectra.run, spectra.epoch[rows], values[rows], spectra.divergence, flags[rows])
        for values, flags in zip(eigenvalues.T, missed.T, strict=True)
    ]


def _sketch(axes: Axes, points: PlottedPoints) -> None:
    """Draw the schematic: the valley sharpens from A to C, until the step crosses its bottom."""
    axes.set(title="schematic, no data", xlabel="along the sharpest direction", ylabel="loss", xticks=[], yticks=[])
    colours = ordered_colours(len(_VALLEYS))
    for (name, (curvature, bottom, half_width, start, end)), colour in zip(_VALLEYS.items(), colours, strict=True):
        x = np.linspace(-half_width, half_width, 41)
        ends = np.array([start, end])
        loss, loss_at_ends = (bottom + curvature / 2 * along**2 for along in (x, ends))
        axes.plot(x, loss, color=colour, linewidth=1.4)
        axes.plot(ends, loss_at_ends, "o", color=colour, markersize=4.5)
        axes.annotate("", (end, loss_at_ends[1]), (start, loss_at_ends[0]),
                      arrowprops={"arrowstyle": "->", "color": "black", "shrinkA": 3, "shrinkB": 3,
                                  "connectionstyle": "arc3,rad=-0.25"})  # fmt: skip
        axes.annotate(name, (start, loss_at_ends[0]), (-9, -2), textcoords="offset points", ha="right", weight="bold")
        points.add("schematic", f"loss at {name}", "", x=x, y=loss)
        points.add("schematic", f"step at {name}", "", x=ends, y=loss_at_ends)
    axes.annotate("", (0.98, 0.3), (0.98, 0.95), xycoords="axes fraction",
                  arrowprops={"arrowstyle": "->", "color": GREY})  # fmt: skip
    axes.text(0.96, 0.62, "training", transform=axes.transAxes, rotation=90, color=GREY, fontsize=7,
              ha="right", va="center")  # fmt: skip
    axes.set_xlim(-3.1, 3.1)
    axes.set_ylim(-0.95, 3.4)
    # below the valleys, with room for two lines
    axes.text(0.0, -0.15, "at B and C the step crosses the bottom", color=RED, fontsize=7, ha="center", va="top")
