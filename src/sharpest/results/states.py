"""Read the states of a run by name."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.results.snapshots import SNAPSHOTS, STATE
from sharpest.results.stored import Stored


class Snapshots(Stored):
    """The snapshots file of a run: t states, r computations of directions by training itself.

    Args:
        path: Where.

    Raises:
        StoreError: If it is missing, damaged, foreign, or of another version.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, SNAPSHOTS)

    @property
    def iteration(self) -> NDArray[np.int64]:
        """(t,), completed updates."""
        return self["iteration"]

    @property
    def update_loss(self) -> NDArray[np.float64]:
        """(u,), of a full-batch run the loss as trained on, with L2: at its start, and after each of its updates.

        Where the run diverged, the last one is not finite, or that before the last update. Of other runs empty.
        """
        return self["update_loss"]

    def state(self, row: int) -> dict[str, NDArray[Any]]:
        """All that training needs to go on from a row, by name."""
        return self.row_of([dataset.name for dataset in STATE], row)

    @property
    def diverged(self) -> int | None:
        """The update whose loss was no longer finite; None where it stayed so."""
        iteration = int(self.attributes["diverged"])
        return None if iteration < 0 else iteration
