"""What was measured on the runs: the largest eigenvalue along training, and how well the solver and the replays did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.measures.spectra.reader import Spectra
from sharpest.results.stored import Measured

MOST_POINTS = 600
"""Points of a curve that a page carries."""


@dataclass(frozen=True)
class LambdaMax:
    """The largest signed eigenvalue along a run.

    Attributes:
        epoch, value: At the points kept.
        missed: How many of all points the solver left above its tolerance.
        points: How many there are.
    """

    epoch: list[float]
    value: list[float]
    missed: int
    points: int


@dataclass(frozen=True)
class MeasuredFile:
    """One file of a measure.

    Attributes:
        points: Measured points.
        products: Hessian-vector products; None where they are not counted.
        eigenvalues, missed: Computed, and left above the solver's tolerance.
        checked: Replays that reached a snapshot.
        drift: Largest difference between a replay and its snapshot.
        origin: Attributes of the file.
    """

    points: int
    products: int | None
    eigenvalues: int
    missed: int
    checked: int
    drift: float
    origin: Mapping[str, Any]


def summary_of(measured: Measured) -> MeasuredFile:
    """What the solver and the replays did for a file, of whatever measure."""
    names = {dataset.name for dataset in measured.datasets}
    converged = measured["converged"] if "converged" in names else np.ones(0, dtype=bool)
    return MeasuredFile(
        points=len(measured.iteration),
        products=int(measured["hvps"].sum()) if "hvps" in names else None,
        eigenvalues=converged.size,
        missed=int((~converged).sum()),
        checked=measured.attributes["replays_checked"],
        drift=measured.attributes["replay_drift"],
        origin=measured.attributes,
    )


def lambda_max_of(spectra: Spectra) -> LambdaMax:
    """The largest eigenvalue along a run, thinned to what a page can carry."""
    finite = np.isfinite(spectra.lambda_max)
    epoch, value = spectra.epoch[finite], spectra.lambda_max[finite]
    kept = decimate(value, MOST_POINTS)
    return LambdaMax(
        epoch=[float(f"{number:.6g}") for number in epoch[kept]],
        value=[float(f"{number:.5g}") for number in value[kept]],
        missed=int((~spectra.converged[finite, 0]).sum()),
        points=int(finite.sum()),
    )


@dataclass(frozen=True)
class Quality:
    """All files of one kind, added up."""

    what: str
    files: int
    points: int
    products: int | None
    eigenvalues: int
    missed: int
    checked: int
    drift: float | None


def add_up(what: str, files: Sequence[MeasuredFile]) -> Quality:
    """Add up files of one kind; the drift is the largest."""
    products = [file.products for file in files if file.products is not None]
    return Quality(
        what=what,
        files=len(files),
        points=sum(file.points for file in files),
        products=sum(products) if products else None,
        eigenvalues=sum(file.eigenvalues for file in files),
        missed=sum(file.missed for file in files),
        checked=sum(file.checked for file in files),
        drift=max((file.drift for file in files), default=None),
    )


def decimate(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Which points of a curve to keep: its ends, and the lowest and highest of each stretch, so that no peak is lost.

    Args:
        values: (t,), finite.
        most: About how many are kept, at least 4.

    Returns:
        Increasing indices.
    """
    if len(values) <= most:
        return np.arange(len(values))
    stretches = np.array_split(np.arange(len(values)), (most - 2) // 2)
    extremes = [stretch[[values[stretch].argmin(), values[stretch].argmax()]] for stretch in stretches]
    return np.unique(np.concatenate([[0, len(values) - 1], *extremes]))
