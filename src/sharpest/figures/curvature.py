"""Largest eigenvalue and Frobenius norm along training, shared by the kinds that draw them in one panel."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sharpest.config.studies.base import Curve
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.style import PlottedPoints, mark_missed
from sharpest.measures.spectra.reader import Spectra


@dataclass(frozen=True)
class Tracked:
    """The tracked eigenvalues of one run.

    Attributes:
        table: A row for each finite measurement; columns run, iteration, epoch, lambda_max and frobenius (nats),
            converged (of lambda_max).
        num_eigenpairs: Behind the norm.
        diverged: What to add to the name of the run.
    """

    table: pd.DataFrame
    num_eigenpairs: int
    diverged: str


def read_tracked(inputs: FigureInputs, curve: Curve) -> Tracked:
    """The tracked eigenvalues of a run."""
    spectra = inputs.read(Spectra, curve)
    table = pd.DataFrame(
        {
            "run": curve.run,
            "iteration": spectra.iteration,
            "epoch": spectra.epoch,
            "lambda_max": spectra.lambda_max,
            "frobenius": spectra.frobenius,
            "converged": spectra.converged[:, 0],
        }
    )
    return Tracked(table[np.isfinite(table["frobenius"])], spectra.eigenvalues.shape[1], spectra.divergence)


def norm_axis(axes: Axes) -> Axes:
    """Label a panel of curvature, and give it a second y axis for the norm."""
    norm = axes.twinx()
    norm.spines.right.set_visible(True)
    axes.set(xlabel="epoch", ylabel="largest eigenvalue (solid)")
    norm.set_ylabel("Frobenius norm (dashed)")
    return norm


def curvature_lines(
    axes: Axes, norm: Axes | None, panel: str, label: str, table: pd.DataFrame, colour: object, points: PlottedPoints
) -> None:
    """Draw the columns lambda_max, and frobenius where there is an axis for it, of the table of :class:`Tracked`."""
    epochs, runs = table["epoch"].to_numpy(), table["run"].to_numpy()
    for place, column, dashes in ((axes, "lambda_max", "-"), (norm, "frobenius", "--")):
        if place is not None:
            values = table[column].to_numpy()
            place.plot(epochs, values, dashes, color=colour)
            points.add(panel, f"{label}, {column}", runs, x=epochs, y=values)
    missed = table[~table["converged"].to_numpy(bool)]
    mark_missed(axes, missed["epoch"].to_numpy(), missed["lambda_max"].to_numpy())


def separate(axes: Axes) -> None:
    """Leave room above the eigenvalues: the norms are nearly proportional, and would hide them."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + (high - low) / 3)
