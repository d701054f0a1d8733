"""Alignment of mini-batch gradients with the sharpest directions against training accuracy (Fig. 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from sharpest.config.studies import Alignment, Curve
from sharpest.figures.canvas import MARKERS, Canvas, FigureInputs, Panel, drawing, ordered_colours, run_label
from sharpest.figures.seeds import OfSeed, mean_over_seeds, name_diverged, running_mean
from sharpest.measures.directions import Directions, random_cosine
from sharpest.measures.spectra import Spectra
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


@drawing
def draw(canvas: Canvas, study: Alignment, inputs: FigureInputs) -> None:
    """Draw one panel for each model, with all measurements.

    Source: Fig. 5; inventory, Figure 5.
    """
    canvas.lay_out(1, len(study.panels), height=1.6)
    for panel in study.panels:
        drawn = canvas.panel(panel.title, xlabel="training accuracy (%)", ylabel="mean |cos| with $e_1 … e_5$")
        num_parameters = 0
        for curve, *look in zip(panel.curves, ordered_colours(len(panel.curves)), cycle(MARKERS)):
            seeds = [_along_training(inputs, each, study.smoothing) for each in curve.by_seed()]
            num_parameters = seeds[0].num_parameters
            _cloud(drawn, curve.label, seeds, *look)
        if drawn.num_points:
            chance = random_cosine(num_parameters)
            label = f"two random vectors ({chance:.2g})"
            drawn.level("two random vectors", chance, label, color="purple", linewidth=0.9)
            drawn.axes.set_ylim(bottom=0)
        drawn.legend()
    canvas.of_seeds(study.curves(), means="Points", rest="bars: one standard deviation; small and faint: single seeds")


def _along_training(inputs: FigureInputs, curve: Curve, smoothing: int) -> _Run:
    whole = inputs.read(Spectra, curve)
    spectra, directions = common_points(whole, inputs.read(Directions, curve))
    columns = np.stack(
        [spectra["train_accuracy"], directions.alignment, directions.along(1).cosine, directions.iteration]
    )
    accuracy, mean, first, iteration = running_mean(columns[:, np.isfinite(columns).all(axis=0)], smoothing)
    values = np.stack([100 * accuracy, mean], axis=1)
    return _Run(whole.num_parameters, OfSeed(curve.run, iteration, values, whole.divergence), first)


def _cloud(panel: Panel, label: str, seeds: Sequence[_Run], colour: str, marker: str) -> None:
    """Draw the points of a curve; with several seeds, the means with bars and the single seeds small."""
    axes = panel.axes
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
        panel.record(label, each.points.run, x=x, y=y)
    if several:
        # seeds differ in accuracy at the same iteration, so both coordinates are means
        mean = mean_over_seeds([each.points for each in seeds])
        (x, y), deviation = mean.y.T, mean.deviation[:, 1]
        axes.errorbar(x, y, deviation, fmt="none", ecolor=colour, elinewidth=0.6, alpha=0.4)
        axes.scatter(x, y, s=7, color=colour, marker=marker, alpha=0.7, linewidths=0, label=name)
        panel.record(label, mean.runs, x=x, y=y, deviation=deviation)
