"""The panel of training and validation accuracy, shared by several kinds of figure."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sharpest.figures.over_seeds import OfSeed, draw_over_seeds
from sharpest.figures.style import OTHERS, PlottedPoints, legend_below, say_empty
from sharpest.measures.spectra.reader import Spectra

# prefix of the columns of spectra -> name, dashes, colour
SERIES = {"train": ("training", "-", "black"), "val": ("validation", "--", OTHERS[0])}


def accuracy_panel(axes: Axes, panel: str, seeds: Sequence[Spectra], limit: float, points: PlottedPoints) -> None:
    """Draw the training and validation accuracies of a run up to an epoch: each seed and the mean."""
    axes.set(title=panel, xlabel="epoch", ylabel="accuracy (%)")
    lines = {name: [_accuracies(spectra, name, limit) for spectra in seeds] for name in SERIES}
    if not any(len(seed.x) for line in lines.values() for seed in line):
        say_empty(axes)
        return
    for name, (series, dashes, colour) in SERIES.items():
        draw_over_seeds(axes, panel, series, lines[name], points, linestyle=dashes, color=colour, label=series)
    axes.set_ylim(bottom=0)
    legend_below(axes, ncols=2)


def _accuracies(spectra: Spectra, name: str, limit: float) -> OfSeed:
    values: NDArray[np.float64] = spectra[f"{name}_accuracy"]
    measured = np.isfinite(values) & (spectra.epoch <= limit)
    return OfSeed(spectra.run, spectra.epoch[measured], 100 * values[measured], spectra.divergence)
