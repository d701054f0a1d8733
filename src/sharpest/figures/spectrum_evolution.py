"""Eigenvalues along training, whole run and early window, with accuracies or a schematic beside (Figs. 1, 2)."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sharpest.config.studies import Curve, SpectrumEvolution
from sharpest.errors import ConfigError
from sharpest.figures.accuracy import SERIES, accuracy_panel
from sharpest.figures.style import (
    GREY,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RED,
    PlottedPoints,
    add_foot,
    blue_to_red,
    new_figure,
    say_empty,
    styled,
)
from sharpest.store.file import open_stored
from sharpest.store.spectrum import SPECTRUM

# the valleys of the sketch: curvature, height of the bottom, half width, and the step from where to where
_VALLEYS = {"A": (0.35, 2.35, 2.0, -1.7, -0.8), "B": (1.3, 1.15, 1.2, -0.95, 1.05), "C": (3.6, 0.0, 0.75, -0.6, 0.66)}


@styled
def draw(
    study: SpectrumEvolution, spectra: list[Path], directions: list[Path], foot: str, windows: list[float | None]
) -> tuple[Figure, pd.DataFrame]:
    """Draw one row of panels for each run.

    Args:
        study: What to draw.
        spectra: Spectrum files, in the order of ``study.curves()``.
        directions: Not used by this kind.
        foot: What was replaced or reduced.
        windows: Early windows in epochs, in the same order.

    Returns:
        The figure, and its points with columns panel, series, run, x, y.

    Raises:
        ConfigError: If a schedule has no early window.

    Source: Figs. 1 and 2; inventory, Figures 1 and 2.
    """
    num_rows, num_columns = len(study.rows), 2 + study.sketch + 2 * study.accuracy
    figure = new_figure(num_columns * PANEL_WIDTH, num_rows * PANEL_HEIGHT + 0.3)
    grid = figure.add_gridspec(num_rows, num_columns)
    points = PlottedPoints()
    if study.sketch:
        _sketch(figure.add_subplot(grid[:, 0]), points)
    notes = []
    for index, (curve, path, window) in enumerate(zip(study.rows, spectra, windows, strict=True)):
        if window is None:
            raise ConfigError(f"schedules.{curve.schedule} has no window_epochs, which the early panel needs; add it")
        with open_stored(path, SPECTRUM) as spectrum:
            epochs = spectrum["epoch"]
            eigenvalues = spectrum["eigenvalues"][:, : study.num_eigenvalues]
            converged = spectrum["converged"][:, : study.num_eigenvalues]
            accuracies = {name: spectrum[f"{name}_accuracy"] for name in SERIES}
        for column, (suffix, limit) in enumerate({"": np.inf, ", early": window}.items()):
            early = epochs <= limit
            axes = figure.add_subplot(grid[index, study.sketch + column])
            _spectrum_panel(axes, f"{curve.label}: eigenvalues{suffix}", curve, points,
                            epochs[early], eigenvalues[early], converged[early])  # fmt: skip
            _end_at(axes, limit)
            if study.accuracy:
                axes = figure.add_subplot(grid[index, 2 + study.sketch + column])
                accuracy_panel(axes, f"{curve.label}: accuracy{suffix}", curve, points,
                               epochs[early], {name: values[early] for name, values in accuracies.items()})  # fmt: skip
                _end_at(axes, limit)
        if missed := int(np.sum(~converged)):
            notes.append(f"{curve.label} {missed:,} of {converged.size:,}")
    circles = "Open circles: eigenvalues whose residual is above the solver's tolerance"
    add_foot(figure, f"{circles}: {', '.join(notes)}" if notes else "", foot)
    return figure, points.table()


def _end_at(axes: Axes, limit: float) -> None:
    axes.set_xlim(left=0, right=limit if np.isfinite(limit) else None)


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
        axes.scatter(
            epochs[missed], values[missed], s=9, facecolors="none", edgecolors="black", linewidths=0.5, zorder=4
        )
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
