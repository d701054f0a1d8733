"""Alignment of mini-batch gradients with the sharpest directions against training accuracy (Fig. 5)."""

from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import gammaln

from sharpest.config.studies.alignment import Alignment
from sharpest.figures.files import FigureFiles
from sharpest.figures.style import (
    BLUE,
    GREEN,
    OTHERS,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RED,
    PlottedPoints,
    add_foot,
    divergence,
    legend_below,
    new_figure,
    run_label,
    running_mean,
    say_empty,
    styled,
)
from sharpest.measures.directions import DIRECTIONS
from sharpest.measures.spectra import SPECTRUM
from sharpest.results.file import open_stored

_COLOURS = (RED, GREEN, BLUE, *OTHERS)  # of the code, for increasing lr (inventory 1.8)


@styled
def draw(study: Alignment, files: FigureFiles, foot: str) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel for each model.

    Args:
        study: What to draw.
        files: Spectrum and directions files; windows are not used, all measurements are drawn.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y.

    Source: Fig. 5; inventory, Figure 5.
    """
    figure = new_figure(len(study.panels) * 1.25 * PANEL_WIDTH, 1.6 * PANEL_HEIGHT)
    points = PlottedPoints()
    measured = iter(zip(files.spectra, files.directions, strict=True))
    for axes, panel in zip(figure.subplots(1, len(study.panels), squeeze=False)[0], study.panels, strict=True):
        axes.set(title=panel.title, xlabel="training accuracy (%)", ylabel="mean |cos| with $e_1 … e_5$")
        num_parameters = 0
        for curve, colour in zip(panel.curves, cycle(_COLOURS)):
            num_parameters, diverged, (accuracy, mean, first) = _along_training(*next(measured), study.smoothing)
            if not len(accuracy):
                axes.plot([], [], "o", color=colour, label=run_label(curve.label, diverged, empty=True))
                continue
            label = run_label(f"{curve.label} (max $e_1$ {first.max():.2f})", diverged, empty=False)
            axes.scatter(100 * accuracy, mean, s=7, color=colour, alpha=0.7, linewidths=0, label=label)
            points.add(panel.title, curve.label, curve.run, x=100 * accuracy, y=mean)
        if len(axes.collections):
            ends = axes.dataLim.intervalx
            chance = random_cosine(num_parameters)
            axes.plot(ends, [chance, chance], "--", color="purple", label=f"two random vectors ({chance:.2g})")
            points.add(panel.title, "two random vectors", "", x=ends, y=chance)
            axes.set_ylim(bottom=0)
        else:
            say_empty(axes)
        legend_below(axes)
    add_foot(figure, foot)
    return figure, points.table()


def random_cosine(num_parameters: int) -> float:
    """Mean absolute cosine of two random directions in p dimensions: Γ(p/2) / (√π Γ((p+1)/2)).

    Source: Fig. 5; inventory, Figure 5 (0.00135 for p = 350,000).
    """
    return float(np.exp(gammaln(num_parameters / 2) - gammaln((num_parameters + 1) / 2)) / np.sqrt(np.pi))


def _along_training(spectrum_path: Path, directions_path: Path, smoothing: int) -> tuple[int, str, NDArray[np.float64]]:
    """Number of parameters; divergence; accuracy, cosine over all eigenvectors and with e_1, smoothed, (3, t)."""
    with open_stored(spectrum_path, SPECTRUM) as spectrum, open_stored(directions_path, DIRECTIONS) as measured:
        _, here, there = np.intersect1d(spectrum["iteration"], measured["iteration"], return_indices=True)
        accuracy = spectrum["train_accuracy"][here]
        cosine, direction = measured["cosine"][there], measured["direction"]
        num_parameters = spectrum.shape("eigenvectors")[2]
        diverged = divergence(spectrum.attributes)
    columns = np.stack([accuracy, cosine[:, direction >= 1].mean(axis=1), cosine[:, direction == 1][:, 0]])
    columns = columns[:, np.isfinite(columns).all(axis=0)]
    return num_parameters, diverged, running_mean(columns, smoothing)
