"""Read the states of a run by name."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.results.snapshots import SNAPSHOTS, STATE
from sharpest.results.stored import Stored


class Snapshots(Stored):
    """The snapshots file of a run: t states, and r computations of directions during training.

    Args:
        path: The file.

    Raises:
        StoreError: If it is missing, damaged, of another kind, or of another version.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, SNAPSHOTS)

    @property
    def iteration(self) -> NDArray[np.int64]:
        """(t,), completed updates."""
        return self["iteration"]

    @property
    def update_loss(self) -> NDArray[np.float64]:
        """(u,), the loss that a full-batch run trains on, with L2: at its start, and after each of its updates.

        If the run diverged, the last loss or the one before the last update is not finite. Empty for other runs.
        """
        return self["update_loss"]

    def state(self, row: int) -> dict[str, NDArray[Any]]:
        """Everything that training needs to resume from a row, by name."""
        return self.row_of([dataset.name for dataset in STATE], row)

    @property
    def diverged(self) -> int | None:
        """The update at which the loss was no longer finite; None if it stayed finite."""
        iteration = int(self.attributes["diverged"])
        return None if iteration < 0 else iteration
