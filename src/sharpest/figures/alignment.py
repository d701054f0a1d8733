"""Alignment of mini-batch gradients with the sharpest directions against training accuracy (Fig. 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sharpest.config.studies.alignment import Alignment
from sharpest.config.studies.base import Curve
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, mean_over_seeds, name_diverged, seeds_line
from sharpest.figures.style import (
    MARKERS,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    NotedFigure,
    PlottedPoints,
    legend_below,
    ordered_colours,
    run_label,
    running_mean,
    say_empty,
    styled,
)
from sharpest.measures.directions.reader import Directions, random_cosine
from sharpest.measures.spectra.reader import Spectra
from sharpest.results.stored import common_points


@dataclass(frozen=True, eq=False)
class _Run:
    """One seed of a curve.

    Attributes:
        num_parameters: Number of parameters p.
        points: Training accuracy in per cent and mean cosine (t, 2) by iteration, smoothed.
        first: Cosine with e_1 (t,), smoothed.
    """

    num_parameters: int
    points: OfSeed
    first: NDArray[np.float64]


@styled
def draw(study: Alignment, inputs: FigureInputs, foot: str) -> tuple[NotedFigure, pd.DataFrame]:
    """Draw one panel for each model.

    Args:
        study: The study to draw.
        inputs: Spectra and directions; all measurements are drawn.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y.

    Source: Fig. 5; inventory, Figure 5.
    """
    figure = NotedFigure(len(study.panels) * 1.25 * PANEL_WIDTH, 1.6 * PANEL_HEIGHT)
    points = PlottedPoints()
    for axes, panel in zip(figure.subplots(1, len(study.panels), squeeze=False)[0], study.panels, strict=True):
        axes.set(title=panel.title, xlabel="training accuracy (%)", ylabel="mean |cos| with $e_1 … e_5$")
        num_parameters = 0
        looks = zip(ordered_colours(len(panel.curves)), cycle(MARKERS), strict=False)
        for curve, look in zip(panel.curves, looks, strict=True):
            seeds = [_along_training(inputs, each, study.smoothing) for each in curve.by_seed()]
            num_parameters = seeds[0].num_parameters
            _cloud(axes, panel.title, curve.label, seeds, look, points)
        if len(axes.collections):
            ends = axes.dataLim.intervalx
            chance = random_cosine(num_parameters)
            axes.plot(ends, [chance, chance], "--", color="purple", label=f"two random vectors ({chance:.2g})")
            points.add(panel.title, "two random vectors", "", x=ends, y=chance)
            axes.set_ylim(bottom=0)
        else:
            say_empty(axes)
        legend_below(axes)
    counts = (len(curve.by_seed()) for curve in study.curves())
    figure.note(seeds_line(counts, "Points", "bars: one standard deviation; small and faint: single seeds"), foot)
    return figure, points.table()


def _along_training(inputs: FigureInputs, curve: Curve, smoothing: int) -> _Run:
    whole = inputs.read(Spectra, curve)
    spectra, directions = common_points(whole, inputs.read(Directions, curve))
    columns = np.stack(
        [spectra["train_accuracy"], directions.alignment, directions.along(1).cosine, directions.iteration]
    )
    accuracy, mean, first, iteration = running_mean(columns[:, np.isfinite(columns).all(axis=0)], smoothing)
    values = np.stack([100 * accuracy, mean], axis=1)
    return _Run(whole.num_parameters, OfSeed(curve.run, iteration, values, whole.divergence), first)


def _cloud(
    axes: Axes, panel: str, label: str, seeds: Sequence[_Run], look: tuple[str, str], points: PlottedPoints
) -> None:
    """Draw the points of a curve; with several seeds, the means with bars and the single seeds small."""
    colour, marker = look
    diverged = name_diverged({str(each.points.run): each.points.diverged for each in seeds})
    tops = [each.first.max() for each in seeds if len(each.first)]
    if not tops:
        axes.plot([], [], linestyle="", marker=marker, color=colour, label=run_label(label, diverged, empty=True))
        return
    name = run_label(f"{label} (max $e_1$ {np.mean(tops):.2f})", diverged, empty=False)
    several = len(seeds) > 1
    for each in seeds:
        x, y = each.points.y.T
        own = {"s": 2, "alpha": 0.3} if several else {"s": 7, "alpha": 0.7, "label": name}
        axes.scatter(x, y, color=colour, marker=marker, linewidths=0, **own)
        points.add(panel, label, each.points.run, x=x, y=y)
    if several:
        # seeds differ in accuracy at the same iteration, so both coordinates are means
        mean = mean_over_seeds([each.points for each in seeds])
        (x, y), deviation = mean.y.T, mean.deviation[:, 1]
        axes.errorbar(x, y, deviation, fmt="none", ecolor=colour, elinewidth=0.6, alpha=0.4)
        axes.scatter(x, y, s=7, color=colour, marker=marker, alpha=0.7, linewidths=0, label=name)
        points.add(panel, label, mean.runs, x=x, y=y, deviation=deviation)
