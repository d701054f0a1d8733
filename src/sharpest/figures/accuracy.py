"""The panel of training and validation accuracy, shared by the kinds that draw it."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sharpest.config.studies.base import Curve
from sharpest.figures.style import PlottedPoints, legend_below, say_empty

# prefix of the columns of spectra -> name, dashes, colour
SERIES = {"train": ("training", "-", "black"), "val": ("validation", "--", "tab:orange")}


def accuracy_panel(
    axes: Axes,
    panel: str,
    curve: Curve,
    points: PlottedPoints,
    epochs: NDArray[np.float64],
    accuracies: Mapping[str, NDArray[np.float64]],
) -> None:
    """Draw ``train`` and ``val`` accuracies (t,), fractions with NaN where not measured, over epochs (t,)."""
    axes.set(title=panel, xlabel="epoch", ylabel="accuracy (%)")
    if not any(np.isfinite(values).any() for values in accuracies.values()):
        say_empty(axes)
        return
    for name, (series, dashes, colour) in SERIES.items():
        measured = np.isfinite(accuracies[name])
        x, y = epochs[measured], 100 * accuracies[name][measured]
        axes.plot(x, y, dashes, color=colour, label=series)
        points.add(panel, series, curve.run, x=x, y=y)
    axes.set_ylim(bottom=0)
    legend_below(axes, ncols=2)
