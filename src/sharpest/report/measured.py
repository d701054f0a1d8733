"""What was trained and measured, for a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.config.run import RunSettings
from sharpest.config.sources import SOURCES
from sharpest.measures.spectra import Spectra
from sharpest.results.stored import Measured, Snapshots, divergence


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        settings: Settings as trained at this scale.
        data: Name of the data that was used.
        num_directions, gamma: Settings of NSGD; None for SGD.
        epochs: Number of epochs trained, including those of the trunk.
        end: How training ended.
        diverged_epoch: Epoch of divergence; None if the run did not diverge.
        best_epoch: Epoch of the best validation accuracy.
        seconds: Wall time of training, without that of the trunk.
        origin: Attributes of the snapshot file.
    """

    settings: RunSettings
    data: str
    num_directions: int | None
    gamma: float | None
    epochs: float
    end: str
    diverged_epoch: float | None
    best_epoch: float
    seconds: float
    origin: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.settings.run


def trained_run(snapshots: Snapshots) -> Run:
    """Read a run from the attributes and a few numbers of its snapshots."""
    attributes = snapshots.attributes
    settings = RunSettings.model_validate(attributes["config"])
    diverged = None if snapshots.diverged is None else snapshots.diverged / settings.steps_per_epoch
    nudge = settings.nudge
    return Run(
        settings=settings,
        data=SOURCES[attributes["dataset"]].title,
        num_directions=nudge.num_directions if nudge else None,
        gamma=nudge.gamma if nudge else None,
        epochs=float(snapshots["epoch"][-1]),
        end=divergence(diverged) or ("stopped at the plateau" if attributes["stopped"] else "complete"),
        diverged_epoch=diverged,
        best_epoch=float(snapshots["epoch"][attributes["best"]]),
        seconds=float(np.nansum(snapshots["epoch_seconds"])),
        origin=attributes,
    )


MOST_POINTS = 600
"""Most points of a curve on a page."""


@dataclass(frozen=True)
class LambdaMax:
    """The largest signed eigenvalue along a run.

    Attributes:
        epoch, value: The points kept.
        missed: Number of points, kept or not, above the solver's tolerance.
        points: Number of points, kept or not.
    """

    epoch: list[float]
    value: list[float]
    missed: int
    points: int


@dataclass(frozen=True)
class MeasuredFile:
    """One file of a measure.

    Attributes:
        points: Number of measured points.
        products: Number of Hessian-vector products; None if not counted.
        eigenvalues, missed: Number of eigenvalues, and of those above the solver's tolerance.
        checked: Number of replays that reached a snapshot.
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
    """Summarize solver and replays of a file, for any measure."""
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
    """The largest eigenvalue along a run, decimated to ``MOST_POINTS``."""
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
    """Totals over all files of one measure."""

    what: str
    files: int
    points: int
    products: int | None
    eigenvalues: int
    missed: int
    checked: int
    drift: float | None


def add_up(what: str, files: Sequence[MeasuredFile]) -> Quality:
    """Add up the files of one measure; the drift is the largest one."""
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
    """Choose points of a curve to keep: its ends, and the minimum and maximum of each stretch, which preserves peaks.

    Args:
        values: The curve (t,), finite.
        most: Approximate number of points to keep, at least 4.

    Returns:
        Indices of the points, increasing.
    """
    if len(values) <= most:
        return np.arange(len(values))
    stretches = np.array_split(np.arange(len(values)), (most - 2) // 2)
    extremes = [stretch[[values[stretch].argmin(), values[stretch].argmax()]] for stretch in stretches]
    return np.unique(np.concatenate([[0, len(values) - 1], *extremes]))
