"""Panels of accuracy and curvature along training, shared by several kinds of figure."""

from collections.abc import Mapping, Sequence

import numpy as np

from sharpest.figures.canvas import Panel
from sharpest.figures.over_seeds import OfSeed
from sharpest.figures.style import OTHERS
from sharpest.measures.spectra import Spectra

OF_SEEDS = "bands: one standard deviation; thin: single seeds; norms: means only"
"""How ``curvature_lines`` draws several seeds, for the notes."""

# prefix of the columns of spectra -> name, dashes, colour
_ACCURACIES = {"train": ("training", "-", "black"), "val": ("validation", "--", OTHERS[0])}


def accuracy_panel(panel: Panel, seeds: Sequence[Spectra], last: float) -> None:
    """Draw the training and validation accuracies of a run up to an epoch: each seed and the mean."""
    panel.axes.set(xlabel="epoch", ylabel="accuracy (%)")
    for name, (series, dashes, colour) in _ACCURACIES.items():
        lines = [OfSeed.along(spectra, 100 * spectra[f"{name}_accuracy"], last=last) for spectra in seeds]
        panel.line(series, lines, linestyle=dashes, color=colour, label=series)
    if panel.num_points:
        panel.axes.set_ylim(bottom=0)
        panel.legend(ncols=2)


def tracked(spectra: Spectra) -> dict[str, OfSeed]:
    """lambda_max and Frobenius norm of the tracked eigenvalues, where the norm is finite."""
    rows = np.isfinite(spectra.frobenius)
    run, epoch, diverged = spectra.run, spectra.epoch, spectra.divergence
    lambda_max = OfSeed(run, epoch, spectra.lambda_max, diverged, ~spectra.converged[:, 0])
    return {"lambda_max": lambda_max.at(rows), "frobenius": OfSeed(run, epoch, spectra.frobenius, diverged).at(rows)}


def norm_axis(panel: Panel) -> Panel:
    """Label a panel of curvature and add a second y axis for the norm."""
    panel.axes.set(xlabel="epoch", ylabel="largest eigenvalue (solid)")
    return panel.second(ylabel="Frobenius norm (dashed)")


def curvature_lines(
    panel: Panel, norm: Panel | None, label: str, seeds: Sequence[Mapping[str, OfSeed]], colour: object, group: str
) -> None:
    """Draw the lambda_max of all seeds of a run, and the Frobenius norm if it has an axis.

    Only the mean of the norm is drawn: it is nearly proportional to lambda_max, and its bands would hide those.
    """
    for y_axis, column, dashes in ((panel, "lambda_max", "-"), (norm, "frobenius", "--")):
        if y_axis is not None:
            lines = [each[column] for each in seeds]
            y_axis.line(f"{label}, {column}", lines, column == "frobenius", group=group, linestyle=dashes, color=colour)


def separate(panel: Panel) -> None:
    """Leave room above the eigenvalues, so that the nearly proportional norms do not hide them."""
    low, high = panel.axes.get_ylim()
    panel.axes.set_ylim(low, high + (high - low) / 3)
