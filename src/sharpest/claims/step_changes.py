"""Change of the loss by scaled steps, as claims judge it and Figs. 6, 15-18 and 20 state it."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.resampling import resampled
from sharpest.claims.series import FEWEST_POINTS, Series, UnmeasuredError
from sharpest.claims.shapes import per_cent
from sharpest.claims.verdicts import Measured, Sample, Tested, against
from sharpest.measures.directions.reader import Directions

_LAST_POINTS = 25  # points in the means that the paper quotes (inventory, section 8)


def step_change(measured: Directions, alpha: float, direction: int, paper_points: int | None) -> Series:
    """Change of the loss by the step times alpha along a direction, and the loss, in nats, at the last points.

    Args:
        measured: The directions of a run.
        alpha: Scale of the step.
        direction: 1-based eigenvector, or -1 for a random direction.
        paper_points: Points of the study at the paper's scale, as for ``last_points``; None = return all points.

    Raises:
        UnmeasuredError: If no point is finite.
    """
    series = finite_points(measured.epoch, measured.along(direction).at(alpha), measured.loss)
    return series if paper_points is None else last_points(series, paper_points)


def finite_points(epoch: NDArray[np.float64], *columns: NDArray[np.float64]) -> Series:
    """The points at which all columns (t,) are finite.

    Raises:
        UnmeasuredError: If there are none.
    """
    values = np.stack(columns, axis=1)
    finite = np.isfinite(values).all(axis=1)
    if not finite.any():
        raise UnmeasuredError("no finite measurement")
    return Series(epoch[finite], values[finite])


def last_points(series: Series, paper_points: int) -> Series:
    """The last 25 points; the same fraction, at least five, if there are fewer points than at the paper's scale."""
    count = round(_LAST_POINTS * len(series.epoch) / paper_points)
    return series.rows(slice(-min(max(count, FEWEST_POINTS), _LAST_POINTS), None))


def mean_change(series: Mapping[str, Series]) -> Tested:
    """Sum of the changes over sum of the losses, in per cent: mean over seeds and 95 % interval, without bounds.

    Args:
        series: Run -> its ``step_change``; the runs differ only in their seed.
    """
    samples = []
    for run, each in series.items():
        replicates = resampled(each, per_cent, run)
        samples.append(Sample(per_cent(each), replicates.values, replicates.blocks))
    values, errors, blocks = (
        np.array([getattr(sample, name) for sample in samples]) for name in ("value", "error", "blocks")
    )
    return against(Measured(values, errors, blocks, np.array(False), np.array(False)), (-math.inf, math.inf))
