"""Curves along training, and single numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 5  # points in a moving average (inventory, section 8)
FEWEST_POINTS = 5  # needed by a trend


class UnmeasuredError(Exception):
    """A run does not have what a claim needs: it ended before, or did not measure it. The message is the reason."""


@dataclass(frozen=True)
class Number:
    """A number not derived from curves.

    Attributes:
        value: The number.
        error: Its standard error; 0 if unknown.
        answers: For a test accuracy, which examples are answered correctly (n,), bool.
        examples: The name of the test set; answers on the same test set are compared example by example.
    """

    value: float
    error: float = 0.0
    answers: NDArray[np.bool_] | None = None
    examples: str = ""


@dataclass(frozen=True)
class Series:
    """Curves over the same points.

    Attributes:
        epoch: The epochs (t,), increasing; or another abscissa.
        values: The c curves (t, c), finite.
    """

    epoch: NDArray[np.float64]
    values: NDArray[np.float64]

    def rows(self, selected: NDArray[np.bool_] | slice) -> "Series":
        """The selected points, given as a mask (t,) or a slice."""
        return Series(self.epoch[selected], self.values[selected])

    def smoothed(self) -> "Series":
        """Centred moving average of five points; one mean if there are fewer points."""
        if len(self.epoch) < SMOOTHING:
            return Series(self.epoch.mean(keepdims=True), self.values.mean(axis=0, keepdims=True))
        half = SMOOTHING // 2
        means = np.lib.stride_tricks.sliding_window_view(self.values, SMOOTHING, axis=0).mean(axis=-1)
        return Series(self.epoch[half:-half], means)
