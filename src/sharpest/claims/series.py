"""Curves along training and numbers beside them, and how far these can be trusted."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 5  # points (inventory, section 8)
FEWEST_POINTS = 5  # that a trend needs
NUM_REPLICATES = 200


class UnmeasuredError(Exception):
    """A run ended before what a claim asks for, or that was not measured; the message is the reason."""


@dataclass(frozen=True)
class Number:
    """A number that is no property of curves.

    Attributes:
        value: The number.
        error: Its standard error, 0 where that is not known.
    """

    value: float
    error: float = 0.0

    def replicates(self, name: str) -> NDArray[np.float64]:
        """(b,), the number with other errors; one that has no known error, (1,)."""
        if not self.error:
            return np.array([self.value])
        return self.value + self.error * _generator(name).standard_normal(NUM_REPLICATES)


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

    def replicates(self, name: str) -> Iterator["Series"]:
        """The same curves with other noise, 200 times; a single point once, as it is.

        The noise is what is left beside :func:`_middle`, made larger by what fitting the middle has taken from it. In
        each replicate it changes its sign at random, point by point and all c curves together: large noise stays where
        it is large. Blocks of points would cancel within themselves, since the mean of neighbours is taken away.

        Args:
            name: Series of the same name and length get the same signs, so that they can be compared point by point.

        Source: the wild bootstrap of Wu (1986).
        """
        count = len(self.epoch)
        if count == 1:
            yield self
            return
        middle, leverage = _middle(self.values)
        noise = (self.values - middle) / np.sqrt(1 - leverage)[:, None]
        signs = _generator(name).choice([-1.0, 1.0], (NUM_REPLICATES, count, 1))
        for values in middle + signs * noise:
            yield replace(self, values=values)

    def smoothed(self) -> "Series":
        """Means of five neighbours, at the middle one; of fewer points, one mean."""
        if len(self.epoch) < SMOOTHING:
            return Series(self.epoch.mean(keepdims=True), self.values.mean(axis=0, keepdims=True))
        half = SMOOTHING // 2
        return Series(self.epoch[half:-half], _means(self.values))


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of five neighbours; (t, c) to (t - 4, c)."""
    return np.lib.stride_tricks.sliding_window_view(values, SMOOTHING, axis=0).mean(axis=-1)


def _middle(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of five neighbours, at the ends the lines through the first and the last five; of fewer points their mean.

    Args:
        values: (t, c).

    Returns:
        The middle (t, c), and the weight (t,) that each point has in its own.
    """
    count, half = len(values), SMOOTHING // 2
    if count < SMOOTHING:
        return np.broadcast_to(values.mean(axis=0), values.shape), np.full(count, 1 / count)
    places = np.arange(-half, half + 1)
    leverage = np.full(count, 1 / SMOOTHING)
    leverage[:half] += (places**2 / (places**2).sum())[:half]
    leverage[-half:] += (places**2 / (places**2).sum())[-half:]
    ends = _line(values[:SMOOTHING])[:half], _line(values[-SMOOTHING:])[-half:]
    return np.concatenate([ends[0], _means(values), ends[1]]), leverage


def _line(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lines that fit curves (t, c) best, at their points."""
    places = np.arange(len(values))
    slope, start = np.polyfit(places, values, 1)
    line: NDArray[np.float64] = np.outer(places, slope) + start
    return line
