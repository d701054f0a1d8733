"""Largest eigenvalue and Frobenius norm along training, shared by the kinds that draw them in one panel."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sharpest.figures.style import PlottedPoints, divergence, mark_missed
from sharpest.measures.spectra import SPECTRUM
from sharpest.results.file import open_stored


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


def read_tracked(run: str, path: Path) -> Tracked:
    """The tracked eigenvalues in the spectrum file of a run."""
    with open_stored(path, SPECTRUM) as stored:
        eigenvalues = stored["eigenvalues"]
        table = pd.DataFrame(
            {
                "run": run,
                "iteration": stored["iteration"],
                "epoch": stored["epoch"],
                "lambda_max": eigenvalues[:, 0],
                "frobenius": np.linalg.norm(eigenvalues, axis=1),
                "converged": stored["converged"][:, 0],
            }
        )
        diverged = divergence(stored.attributes)
    return Tracked(table[np.isfinite(table["frobenius"])], eigenvalues.shape[1], diverged)


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
