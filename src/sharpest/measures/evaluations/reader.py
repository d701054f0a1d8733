"""Read ``evaluations``: the end points of a run, by name."""

from typing import Any

import numpy as np

from sharpest.measures.evaluations import MEASURE
from sharpest.results.stored import Measured

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
