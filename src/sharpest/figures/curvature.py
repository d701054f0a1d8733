"""Largest eigenvalue and Frobenius norm along training, shared by the kinds that draw them in one panel."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sharpest.config.studies.base import Curve
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import OfSeed, draw_over_seeds
from sharpest.figures.style import PlottedPoints
from sharpest.measures.spectra.reader import Spectra

OF_SEEDS = "bands: one standard deviation; thin: single seeds; of the norms the means alone"
"""How :func:`curvature_lines` draws several seeds, for the foot."""


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

    @property
    def missed(self) -> NDArray[np.bool_]:
        """Rows of the table whose lambda_max is above the solver's tolerance."""
        return ~self.table["converged"].to_numpy(bool)

    def until(self, epoch: float) -> Self:
        """The same up to an epoch."""
        return replace(self, table=self.table[self.table["epoch"] <= epoch])

    def line(self, column: str) -> OfSeed:
        """A column of the table over the epochs; with lambda_max goes which were missed."""
        run, epoch, values = (self.table[name].to_numpy() for name in ("run", "epoch", column))
        return OfSeed(run, epoch, values, self.diverged, self.missed if column == "lambda_max" else None)


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
    axes: Axes,
    norm: Axes | None,
    panel: str,
    label: str,
    seeds: Sequence[Tracked],
    colour: object,
    points: PlottedPoints,
) -> None:
    """Draw lambda_max, and the Frobenius norm where there is an axis for it, of one run with each of its seeds.

    The norms are nearly proportional: bands and single seeds of both would hide each other.
    """
    for place, column, dashes in ((axes, "lambda_max", "-"), (norm, "frobenius", "--")):
        if place is not None:
            lines = [each.line(column) for each in seeds]
            draw_over_seeds(place, panel, f"{label}, {column}", lines, points, mean_only=column == "frobenius",
                            linestyle=dashes, color=colour)  # fmt: skip


def separate(axes: Axes) -> None:
    """Leave room above the eigenvalues: the norms are nearly proportional, and would hide them."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + (high - low) / 3)
