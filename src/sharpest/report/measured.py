"""What was measured on the runs: the largest eigenvalue along training, and how well the solver and the replays did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.measures.directions import DIRECTIONS
from sharpest.measures.evaluations import EVALUATION
from sharpest.measures.spectra import SPECTRUM
from sharpest.results.file import open_stored

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
class Measured:
    """One file of measurements.

    Attributes:
        points: Measured points.
        products: Hessian-vector products; None where they are not counted.
        eigenvalues, missed: Computed, and left above the solver's tolerance.
        checked: Replays that reached a snapshot.
        drift: Largest difference between a replay and its snapshot; None where nothing is replayed.
        origin: Attributes of the file.
    """

    points: int
    products: int | None
    eigenvalues: int
    missed: int
    checked: int
    drift: float | None
    origin: Mapping[str, Any]


def read_spectrum(path: Path) -> tuple[Measured, LambdaMax]:
    """Read a spectrum file.

    Raises:
        StoreError: If it is missing, or no spectrum file.
    """
    with open_stored(path, SPECTRUM) as file:
        epoch, value, converged = file["epoch"], file["eigenvalues"][:, 0], file["converged"]
        facts = file.attributes
        measured = Measured(
            points=len(epoch),
            products=int(file["hvps"].sum()),
            eigenvalues=converged.size,
            missed=int((~converged).sum()),
            checked=facts["replays_checked"],
            drift=facts["replay_drift"],
            origin=facts,
        )
    finite = np.isfinite(value)
    kept = decimate(value[finite], MOST_POINTS)
    curve = LambdaMax(
        epoch=[float(f"{number:.6g}") for number in epoch[finite][kept]],
        value=[float(f"{number:.5g}") for number in value[finite][kept]],
        missed=int((~converged[finite, 0]).sum()),
        points=int(finite.sum()),
    )
    return measured, curve


def read_directions(path: Path) -> Measured:
    """Read a directions file.

    Raises:
        StoreError: If it is missing, or no directions file.
    """
    with open_stored(path, DIRECTIONS) as file:
        facts = file.attributes
        return Measured(file.shape("iteration")[0], None, 0, 0, facts["replays_checked"], facts["replay_drift"], facts)


def read_evaluation(path: Path) -> Measured:
    """Read an evaluation file.

    Raises:
        StoreError: If it is missing, or no evaluation file.
    """
    with open_stored(path, EVALUATION) as file:
        converged = file["converged"]
        return Measured(len(converged), None, converged.size, int((~converged).sum()), 0, None, file.attributes)


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


def add_up(what: str, files: Sequence[Measured]) -> Quality:
    """Add up files of one kind; the drift is the largest."""
    products = [one.products for one in files if one.products is not None]
    drifts = [one.drift for one in files if one.drift is not None]
    return Quality(
        what=what,
        files=len(files),
        points=sum(one.points for one in files),
        products=sum(products) if products else None,
        eigenvalues=sum(one.eigenvalues for one in files),
        missed=sum(one.missed for one in files),
        checked=sum(one.checked for one in files),
        drift=max(drifts) if drifts else None,
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
