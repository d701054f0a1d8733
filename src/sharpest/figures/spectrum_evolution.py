"""Eigenvalues along training, optionally with an early window, accuracies and a schematic (Figs. 1, 2, 3, 9)."""

from functools import partial

import numpy as np

from sharpest.config.studies.base import Curve
from sharpest.config.studies.spectrum_evolution import SpectrumEvolution
from sharpest.figures.along import accuracy_panel
from sharpest.figures.canvas import Canvas, Panel, drawing
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, name_diverged
from sharpest.figures.style import GREY, RED, ordered_colours
from sharpest.measures.spectra import Spectra

# valleys of the sketch: curvature, height of the bottom, half width, start and end of the step
_VALLEYS = {"A": (0.35, 2.35, 2.0, -1.7, -0.8), "B": (1.3, 1.15, 1.2, -0.95, 1.05), "C": (3.6, 0.0, 0.75, -0.6, 0.66)}

_OF_SEEDS = "band and thin lines, for the largest eigenvalue: one standard deviation, single seeds"


@drawing
def draw(canvas: Canvas, study: SpectrumEvolution, inputs: FigureInputs) -> None:
    """Draw one row of panels for each run, or all panels in one row.

    Raises:
        ConfigError: If an early window is drawn and a schedule has none.

    Source: Figs. 1, 2, 3 and 9; inventory, Figures 1, 2, 3 and 9.
    """
    num_rows, num_columns = len(study.rows), (1 + study.accuracy) * (1 + study.early)
    if study.layout == "row":
        num_rows, num_columns = 1, num_rows * num_columns
    canvas.lay_out(num_rows, num_columns + study.sketch, 1, 1.1)
    if study.sketch:
        grid = canvas.grid
        canvas.places = iter([grid[row, column] for row in range(num_rows) for column in range(1, num_columns + 1)])
        _sketch(canvas.panel("schematic", grid[:, 0], title="schematic, no data"))
    for curve in study.rows:
        _panels(canvas, study, curve, inputs)
    canvas.of_seeds(study.rows, rest=_OF_SEEDS)


def _panels(canvas: Canvas, study: SpectrumEvolution, curve: Curve, inputs: FigureInputs) -> None:
    """Draw the panels of one run: eigenvalues up to each limit in epochs, then accuracies up to each limit."""
    seeds, limits = inputs.by_seed(Spectra, curve), {"": np.inf}
    canvas.diverged[curve.label] = name_diverged({spectra.run: spectra.divergence for spectra in seeds})
    if study.early:
        limits[", early"] = inputs.early_window(curve)
    quantities = ("eigenvalues", *["accuracy"] * study.accuracy)
    places = {(quantity, suffix): next(canvas.places) for quantity in quantities for suffix in limits}
    drawn = []
    for suffix, limit in limits.items():
        for quantity in quantities:
            name, group = f"{curve.label}: {quantity}{suffix}", "" if suffix else curve.label
            panel = canvas.panel(name, places[quantity, suffix], group, xlabel="epoch", ylabel="eigenvalue")
            if quantity == "accuracy":
                accuracy_panel(panel, seeds, limit)
            else:
                _eigenvalues(panel, study, seeds, limit)
            panel.axes.set_xlim(left=0, right=limit if np.isfinite(limit) else None)
            drawn.append(panel)
    longest = max(seeds, key=lambda spectra: spectra.epoch.max(initial=0))
    if study.steps_axis and longest.epoch.max(initial=0) > 0:
        steps_per_epoch = float(longest.iteration.max() / longest.epoch.max())
        conversions = partial(np.multiply, steps_per_epoch), partial(np.multiply, 1 / steps_per_epoch)
        for panel in (panel for panel in drawn if panel.num_points):
            panel.axes.secondary_xaxis("top", conversions).set_xlabel("iteration")


def _eigenvalues(panel: Panel, study: SpectrumEvolution, seeds: list[Spectra], limit: float) -> None:
    """Draw one line per eigenvalue up to an epoch; only the largest one with its band and single seeds."""
    if study.scale == "symlog":
        panel.axes.set_yscale("symlog", linthresh=1)
    # at the points where all of them are finite
    whole = [np.isfinite(each.eigenvalues[:, : study.num_eigenvalues]).all(axis=1) for each in seeds]
    count = min(study.num_eigenvalues, seeds[0].eigenvalues.shape[1])
    for index, colour in enumerate(ordered_colours(count)[::-1]):
        lines = [
            OfSeed.along(each, np.where(rows, each.eigenvalues[:, index], np.nan), ~each.converged[:, index], limit)
            for each, rows in zip(seeds, whole, strict=True)
        ]
        # where lines meet, the largest eigenvalue is on top
        look = {"color": colour, "linewidth": 0.8, "zorder": 3 - index / count}
        panel.line(f"lambda_{index + 1}", lines, mean_only=index > 0, **look)


def _sketch(panel: Panel) -> None:
    """Draw the schematic: the valley sharpens from A to C, until the step crosses its bottom."""
    axes = panel.axes
    axes.set(xlabel="along the sharpest direction", ylabel="loss", xticks=[], yticks=[])
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
        panel.record(f"loss at {name}", "", x=x, y=loss)
        panel.record(f"step at {name}", "", x=ends, y=loss_at_ends)
    axes.annotate("", (0.98, 0.3), (0.98, 0.95), xycoords="axes fraction",
                  arrowprops={"arrowstyle": "->", "color": GREY})  # fmt: skip
    axes.text(0.96, 0.62, "training", transform=axes.transAxes, rotation=90, color=GREY, fontsize=7,
              ha="right", va="center")  # fmt: skip
    axes.set_xlim(-3.1, 3.1)
    axes.set_ylim(-0.95, 3.4)
    # below the valleys, with room for two lines
    axes.text(0.0, -0.15, "at B and C the step crosses the bottom", color=RED, fontsize=7, ha="center", va="top")
