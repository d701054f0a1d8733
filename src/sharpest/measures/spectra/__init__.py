"""Leading eigenpairs of the Hessian, with losses and accuracies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from sharpest.config.measures import Cost, Measure, Planned, Taken
from sharpest.config.run import targets_of
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError
from sharpest.results.measured import SPECTRA
from sharpest.results.stored import Measured


class Settings(Strict):
    """Leading eigenpairs (inventory 1.3, 1.4)."""

    num_eigenpairs: PositiveInt
    """K, eigenpairs of largest magnitude."""
    keep_vectors: bool = False
    """Whether to store the eigenvectors; they are always stored if another measure of the schedule needs them."""
    accuracy_every: int = Field(default=0, ge=0)
    """Losses and accuracies at every n-th point; 0 = never."""
    accuracy_examples: PositiveInt
    """Training examples, not augmented, for these."""


def _cost(settings: Settings, point: Planned) -> Cost:
    with_accuracy = settings.accuracy_every and point.place % settings.accuracy_every == 0
    recorded = point.recorded(settings.num_eigenpairs, settings.keep_vectors)
    evaluated = settings.accuracy_examples + targets_of(point.run.dataset, point.run.dataset.val)
    return Cost(
        eigenpairs=0 if recorded else settings.num_eigenpairs,
        forwards=evaluated if with_accuracy else 0,
        vectors=settings.num_eigenpairs if settings.keep_vectors else 0,
    )


def _check(settings: Settings, taken: Taken) -> None:
    every, length = settings.accuracy_every, taken.shard_points
    if every and length and length % every:
        raise ConfigError(
            f"accuracy_every {every} does not divide shard_points {length}, but its count restarts in each shard; "
            f"use shard_points {length // every * every or every}"
        )


MEASURE = Measure(
    title="leading eigenpairs along training",
    settings=Settings,
    layout=SPECTRA,
    cost=_cost,
    sizes=lambda settings, p: {"k": min(settings.num_eigenpairs, p)},
    check=_check,
)


class Spectra(Measured):
    """Leading eigenpairs of the Hessian of a run at t points; k eigenvalues, p parameters."""

    layout = MEASURE.layout

    @property
    def eigenvalues(self) -> NDArray[np.float64]:
        """(t, k), the largest in magnitude; signed, largest first; nats."""
        return self["eigenvalues"]

    @property
    def lambda_max(self) -> NDArray[np.float64]:
        """(t,), the largest signed eigenvalue, nats."""
        return self["eigenvalues"][:, 0]

    @property
    def frobenius(self) -> NDArray[np.float64]:
        """(t,), Frobenius norm of the k eigenvalues, nats."""
        norms: NDArray[np.float64] = np.linalg.norm(self["eigenvalues"], axis=1)
        return norms

    @property
    def converged(self) -> NDArray[np.bool_]:
        """(t, k), whether the residual is within the tolerance and no eigenvalue of larger magnitude is missing."""
        return self["converged"]

    @property
    def num_parameters(self) -> int:
        """p, the number of parameters."""
        return self.shape("eigenvectors")[2]


Reader = Spectra
