"""Leading eigenpairs of the Hessian, and losses and accuracies beside them."""

from pydantic import Field, PositiveInt

from sharpest.config.datasets import targets_of
from sharpest.config.measure import Cost, Measure, Planned, Taken
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError
from sharpest.results.layout import Dataset, measured_layout


class Settings(Strict):
    """Leading eigenpairs (inventory 1.3, 1.4)."""

    num_eigenpairs: PositiveInt
    """K, eigenpairs of largest magnitude."""
    keep_vectors: bool = False
    """Whether the eigenvectors are stored; they are where another measure of the schedule needs them."""
    accuracy_every: int = Field(default=0, ge=0)
    """Losses and accuracies at every n-th point; 0 = never."""
    accuracy_examples: PositiveInt
    """Clean training examples of these."""


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
            f"accuracy_every {every} does not divide shard_points {length}, and its count starts again in each shard; "
            f"use shard_points {length // every * every or every}"
        )


MEASURE = Measure(
    title="leading eigenpairs along training",
    settings=Settings,
    layout=measured_layout(
        "spectra",
        4,
        Dataset("eigenvalues", "f8", ("t", "k"), "nats", "the k largest in magnitude; signed, largest first"),
        Dataset("residuals", "f8", ("t", "k"), "", "|Hv - lambda v| / |lambda_1|"),
        Dataset("converged", "?", ("t", "k"), "", "residual within the tolerance"),
        Dataset("hvps", "i8", ("t",), "", "Hessian-vector products"),
        Dataset("seconds", "f8", ("t",), "s", "time of the eigensolve"),
        Dataset("train_loss", "f8", ("t",), "nats", "on clean training examples"),
        Dataset("train_accuracy", "f8", ("t",), "fraction", "on clean training examples"),
        Dataset("val_loss", "f8", ("t",), "nats", "on the validation examples"),
        Dataset("val_accuracy", "f8", ("t",), "fraction", "on the validation examples"),
        Dataset("vector_index", "i8", ("v",), "rows of t", "measurements whose vectors are kept"),
        Dataset("eigenvectors", "f4", ("v", "k", "p"), "", "unit rows"),
    ),
    cost=_cost,
    sizes=lambda settings, p: {"k": min(settings.num_eigenpairs, p)},
    check=_check,
)
