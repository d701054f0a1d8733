"""Norms of the Hessian, test accuracy, training loss and distance travelled: the columns of the paper's tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field, PositiveInt

from sharpest.config.measures import Cost, Measure, Planned
from sharpest.config.run import targets_of
from sharpest.config.strict import Strict
from sharpest.results.layout import Dataset, measured_layout
from sharpest.results.stored import Measured


class Settings(Strict):
    """End points of a run (inventory 1.7)."""

    num_eigenpairs: PositiveInt
    """Eigenvalues in the Frobenius norm."""
    examples: PositiveInt
    """N of that Hessian."""
    num_probes: int = Field(ge=4)
    """Hessian-vector products for estimating the Frobenius norm of all eigenvalues (Hutchinson++)."""
    loss_examples: PositiveInt
    """Training examples, not augmented, of the loss."""
    early_epoch: PositiveInt
    """Epoch whose validation accuracy, from the history, is the early validation accuracy."""


def _cost(settings: Settings, point: Planned) -> Cost:
    return Cost(
        eigenpairs=settings.num_eigenpairs,
        products=settings.num_probes,
        examples=settings.examples,
        forwards=settings.loss_examples + targets_of(point.run.dataset, point.run.dataset.test),
    )


MEASURE = Measure(
    of_training=True,
    title="end points",
    settings=Settings,
    layout=measured_layout(
        "evaluations",
        6,
        Dataset("eigenvalues", "f8", ("t", "k"), "nats", "the k largest in magnitude; signed, largest first"),
        Dataset("residuals", "f8", ("t", "k"), "", "|Hv - lambda v| / |lambda_1|"),
        Dataset("converged", "?", ("t", "k"), "", "residual within the tolerance and no larger one missing"),
        Dataset("spectral_norm", "f8", ("t",), "nats", "largest magnitude of an eigenvalue"),
        Dataset("frobenius", "f8", ("t",), "nats", "square root of the sum of the squared eigenvalues"),
        Dataset("frobenius_probe", "f8", ("t",), "nats", "of all eigenvalues, by Hutchinson++ on the square"),
        Dataset("frobenius_probe_error", "f8", ("t",), "nats", "its standard error"),
        Dataset("test_accuracy", "f8", ("t",), "fraction", "on the test examples"),
        Dataset("test_correct", "?", ("t", "x"), "", "which test targets are answered correctly, in their order"),
        Dataset("train_loss", "f8", ("t",), "nats", "loss without L2 on clean training examples"),
        Dataset("distance", "f8", ("t",), "", "|theta - theta_0| over all parameters"),
    ),
    cost=_cost,
    sizes=lambda settings, p: {"k": min(settings.num_eigenpairs, p)},
)


BEST, LAST = 0, 1


class Evaluations(Measured):
    """Values at the snapshot of best validation accuracy, and at the last one."""

    layout = MEASURE.layout

    def best(self, name: str) -> float:
        """A value at the best validation accuracy."""
        return float(self[name][BEST])

    def last(self, name: str) -> float:
        """A value at the end of the run."""
        return float(self[name][LAST])

    @property
    def num_examples(self) -> int:
        """N of the Hessian."""
        return int(self.settings["examples"])

    @property
    def early_epoch(self) -> int:
        """Epoch of the early validation accuracy."""
        return int(self.settings["early_epoch"])

    @property
    def num_missed(self) -> int:
        """Number of eigenvalues whose residual exceeds the solver's tolerance."""
        return int((~self["converged"]).sum())


def median_seconds(snapshots: Any) -> float:
    """Median wall time of an epoch of a run in seconds; NaN if it trained none."""
    seconds = snapshots["epoch_seconds"]
    return float(np.median(seconds)) if len(seconds) else float("nan")


def accuracy_at(history: Any, epoch: int) -> float:
    """Validation accuracy at the end of an epoch, a fraction; NaN if the run ended before (inventory 1.7).

    Args:
        history: Table of a run, one row per epoch.
        epoch: Epoch, counted from 1.
    """
    rows = history[history["epoch"] == epoch]
    return float(rows["val_accuracy"].iloc[0]) if len(rows) else float("nan")


Reader = Evaluations
