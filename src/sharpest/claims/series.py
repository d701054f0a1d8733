"""Curves along training, and numbers beside them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 5  # points (inventory, section 8)
FEWEST_POINTS = 5  # that a trend needs


class UnmeasuredError(Exception):
    """A run ended before what a claim asks for, or that was not measured; the message is the reason."""


@dataclass(frozen=True)
class Number:
    """A number that is no property of curves.

    Attributes:
        value: The number.
        error: Its standard error, 0 where that is not known.
        answers: (n,) bool, which test examples are answered correctly, where the number is their share.
        examples: What those examples are; answers to the same ones are compared one by one.
    """

    value: float
    error: float = 0.0
    answers: NDArray[np.bool_] | None = None
    examples: str = ""


@dataclass(frozen=True)
class Series:
    """Curves over the same points.

    Attributes:
        epoch: (t,), increasing; or another quantity that the curves are a function of.
        values: (t, c), finite; c curves.
    """

    epoch: NDArray[np.float64]
    values: NDArray[np.float64]

    def rows(self, chosen: NDArray[np.bool_] | slice) -> "Series":
        """The chosen points (t,)."""
        return Series(self.epoch[chosen], self.values[chosen])

    def smoothed(self) -> "Series":
        """Means of five neighbours, at the middle one; of fewer points, one mean."""
        if len(self.epoch) < SMOOTHING:
            return Series(self.epoch.mean(keepdims=True), self.values.mean(axis=0, keepdims=True))
        half = SMOOTHING // 2
        means = np.lib.stride_tricks.sliding_window_view(self.values, SMOOTHING, axis=0).mean(axis=-1)
        return Series(self.epoch[half:-half], means)
