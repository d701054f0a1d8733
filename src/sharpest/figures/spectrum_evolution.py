"""Eigenvalues along training, with an early window, accuracies or a schematic beside (Figs. 1, 2, 3, 9)."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sharpest.config.studies.base import Curve
from sharpest.config.studies.spectrum_evolution import SpectrumEvolution
from sharpest.figures.accuracy import SERIES, accuracy_panel
from sharpest.figures.files import FigureFiles, early_window
from sharpest.figures.style import (
    GREY,
    MISSED,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RED,
    PlottedPoints,
    add_foot,
    blue_to_red,
    count_line,
    divergence,
    divergence_line,
    mark_missed,
    new_figure,
    say_empty,
    styled,
)
from sharpest.measures.spectra import SPECTRUM
from sharpest.results.file import open_stored

# the valleys of the sketch: curvature, height of the bottom, half width, and the step from where to where
_VALLEYS = {"A": (0.35, 2.35, 2.0, -1.7, -0.8), "B": (1.3, 1.15, 1.2, -0.95, 1.05), "C": (3.6, 0.0, 0.75, -0.6, 0.66)}


@styled
def draw(study: SpectrumEvolution, files: FigureFiles, foot: str) -> tuple[Figure, pd.DataFrame]:
    """Draw one row of panels for each run, or all panels in one row.

    Args:
        study: What to draw.
        files: Spectrum files, and early windows where ``study.early``.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y.

    Raises:
        ConfigError: If a schedule has no early window, and one is drawn.

    Source: Figs. 1, 2, 3 and 9; inventory, Figures 1, 2, 3 and 9.
    """
    panels_a_run = (1 + study.accuracy) * (1 + study.early)
    num_rows, num_columns = len(study.rows), panels_a_run
    if study.layout == "row":
        num_rows, num_columns = 1, num_rows * num_columns
    num_columns += study.sketch
    figure = new_figure(num_columns * PANEL_WIDTH, num_rows * PANEL_HEIGHT + 0.3)
    grid = figure.add_gridspec(num_rows, num_columns)
    places = [grid[row, column] for row in range(num_rows) for column in range(study.sketch, num_columns)]
    points = PlottedPoints()
    if study.sketch:
        _sketch(figure.add_subplot(grid[:, 0]), points)
    missed, diverged = {}, {}
    for index, (curve, path, window) in enumerate(zip(study.rows, files.spectra, files.windows, strict=True)):
        with open_stored(path, SPECTRUM) as spectrum:
            iterations, epochs = spectrum["iteration"], spectrum["epoch"]
            eigenvalues = spectrum["eigenvalues"][:, : study.num_eigenvalues]
            converged = spectrum["converged"][:, : study.num_eigenvalues]
            accuracies = {name: spectrum[f"{name}_accuracy"] for name in SERIES}
            diverged[curve.label] = divergence(spectrum.attributes)
        missed[curve.label] = [~converged]
        limits = {"": np.inf}
        if study.early:
            limits[", early"] = early_window(curve, window)
        axes = [figure.add_subplot(place) for place in places[index * panels_a_run : (index + 1) * panels_a_run]]
        for column, (suffix, limit) in enumerate(limits.items()):
            drawn = epochs <= limit
            _spectrum_panel(axes[column], f"{curve.label}: eigenvalues{suffix}", curve, points,
                            epochs[drawn], eigenvalues[drawn], converged[drawn])  # fmt: skip
            if study.accuracy:
                accuracy_panel(axes[len(limits) + column], f"{curve.label}: accuracy{suffix}", curve, points,
                               epochs[drawn], {name: values[drawn] for name, values in accuracies.items()})  # fmt: skip
            for panel in axes[column :: len(limits)]:
                panel.set_xlim(left=0, right=limit if np.isfinite(limit) else None)
        if study.steps_axis and epochs.max(initial=0) > 0:
            for panel in axes:
                _add_steps(panel, float(iterations.max() / epochs.max()))
    add_foot(figure, count_line(MISSED, missed), divergence_line(diverged), foot)
    return figure, points.table()


def _add_steps(axes: Axes, steps_per_epoch: float) -> None:
    """A second x axis on top, in iterations."""
    if axes.axison:
        there_and_back = partial(np.multiply, steps_per_epoch), partial(np.multiply, 1 / steps_per_epoch)
        axes.secondary_xaxis("top", there_and_back).set_xlabel("iteration")


def _spectrum_panel(
    axes: Axes,
    panel: str,
    curve: Curve,
    points: PlottedPoints,
    epochs: NDArray[np.float64],
    eigenvalues: NDArray[np.float64],
    converged: NDArray[np.bool_],
) -> None:
    """One line an eigenvalue over epochs (t,); eigenvalues and converged are (t, k)."""
    axes.set(title=panel, xlabel="epoch", ylabel="eigenvalue")
    finite = np.isfinite(eigenvalues).all(axis=1)
    epochs, eigenvalues, converged = epochs[finite], eigenvalues[finite], converged[finite]
    if not len(epochs):
        say_empty(axes)
        return
    colours = blue_to_red(eigenvalues.shape[1])[::-1]
    for index, colour in enumerate(colours):
        values, missed = eigenvalues[:, index], ~converged[:, index]
        # the largest on top, where lines meet
        axes.plot(epochs, values, color=colour, linewidth=0.8, zorder=3 - index / len(colours))
        mark_missed(axes, epochs[missed], values[missed])
        points.add(panel, f"lambda_{index + 1}", curve.run, x=epochs, y=values)


def _sketch(axes: Axes, points: PlottedPoints) -> None:
    """The valley grows sharper from A to C, until the step crosses its bottom."""
    axes.set(title="schematic, no data", xlabel="along the sharpest direction", ylabel="loss", xticks=[], yticks=[])
    colours = blue_to_red(len(_VALLEYS))
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
    axes.annotate("training", (0.93, 0.12), (0.93, 0.78), xycoords="axes fraction", ha="center", color=GREY, fontsize=7,
                  arrowprops={"arrowstyle": "->", "color": GREY})  # fmt: skip
    axes.set_xlim(-2.7, 2.7)
    axes.set_ylim(-0.35, 3.4)
    axes.text(0.0, -0.3, "at B and C the step crosses the bottom", color=RED, fontsize=7, ha="center")
