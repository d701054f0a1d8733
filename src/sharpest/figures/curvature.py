"""The panel of largest eigenvalue and Frobenius norm along training, shared by several kinds of figure."""

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

OF_SEEDS = "bands: one standard deviation; thin: single seeds; norms: means only"
"""How ``curvature_lines`` draws several seeds, for the notes."""


@dataclass(frozen=True)
class Tracked:
    """The tracked eigenvalues of one run.

    Attributes:
        table: One row per finite measurement; columns run, iteration, epoch, lambda_max and frobenius (nats), and
            converged (for lambda_max).
        num_eigenpairs: Number of eigenvalues in the norm.
        diverged: When the run diverged, as text after its name; empty if it did not.
    """

    table: pd.DataFrame
    num_eigenpairs: int
    diverged: str

    @property
    def missed(self) -> NDArray[np.bool_]:
        """Rows of the table whose lambda_max is above the solver's tolerance."""
        return ~self.table["converged"].to_numpy(bool)

    def until(self, epoch: float) -> Self:
        """The eigenvalues up to an epoch."""
        return replace(self, table=self.table[self.table["epoch"] <= epoch])

    def line(self, column: str) -> OfSeed:
        """A column of the table by epoch; lambda_max includes which points missed the tolerance."""
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
    """Label a panel of curvature and add a second y axis for the norm."""
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
    """Draw the lambda_max of all seeds of a run, and the Frobenius norm if it has an axis.

    Only the mean of the norm is drawn: it is nearly proportional to lambda_max, and its bands would hide those.
    """
    for y_axis, column, dashes in ((axes, "lambda_max", "-"), (norm, "frobenius", "--")):
        if y_axis is not None:
            lines = [each.line(column) for each in seeds]
            draw_over_seeds(y_axis, panel, f"{label}, {column}", lines, points, mean_only=column == "frobenius",
                            linestyle=dashes, color=colour)  # fmt: skip


def separate(axes: Axes) -> None:
    """Leave room above the eigenvalues, so that the nearly proportional norms do not hide them."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + (high - low) / 3)
