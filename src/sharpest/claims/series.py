"""Curves along training, the numbers that are read from them, and how far these can be trusted."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SMOOTHING = 5  # points (inventory, section 8)
FEWEST_POINTS = 5  # that a trend needs
NUM_REPLICATES = 200
# a curve swings, or starts low, where it is a quarter of its range that it moves, or lies above its lowest point
SWING = 0.25


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


Statistic = Callable[[Series], float]


def mean(series: Series) -> float:
    """Mean over points and curves."""
    return float(series.values.mean())


def maximum(series: Series) -> float:
    """The highest point."""
    return float(series.values.max())


def peak(series: Series) -> float:
    """The highest point of the smoothed curve."""
    return float(series.smoothed().values[:, 0].max())


def peak_epoch(series: Series) -> float:
    """Where the smoothed curve is highest."""
    smooth = series.smoothed()
    return float(smooth.epoch[smooth.values[:, 0].argmax()])


def still_rising(series: Series) -> bool:
    """Whether the smoothed curve is highest at its end."""
    curve = series.smoothed().values[:, 0]
    return bool(curve.argmax() == len(curve) - 1)


def per_cent(series: Series) -> float:
    """Sum of the first curve over the sum of the second, in per cent: small numbers in the second weigh little."""
    return float(100 * series.values[:, 0].sum() / series.values[:, 1].sum())


def largest_fall(series: Series) -> float:
    """Largest fall of the first curve below its highest point so far."""
    curve = series.values[:, 0]
    return float((np.maximum.accumulate(curve) - curve).max())


def before_largest_fall(curve: NDArray[np.float64]) -> int:
    """Number of points (t,) up to the one from which the largest fall starts."""
    bottom = int((np.maximum.accumulate(curve) - curve).argmax())
    return int(curve[: bottom + 1].argmax()) + 1


def rank_correlation(series: Series) -> float:
    """Spearman's correlation of the first curve with time: 1 where it always rises, -1 where it always falls."""
    ranks = pd.Series(series.values[:, 0]).rank().to_numpy()
    if np.ptp(ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1])


def hump(series: Series) -> float:
    """How far a smoothed curve rises to its highest point and falls from there to its end: the lesser, over its range.

    Of several curves the least hump.
    """
    curves = series.smoothed().values
    top, ends = curves.max(axis=0), np.maximum(curves[0], curves[-1])
    return float(_share(top - ends, np.ptp(curves, axis=0)).min())


def sudden_fall(series: Series) -> float:
    """The lesser of the largest fall of a curve and the rise before it, over its range; it may recover afterwards."""
    curve = series.values[:, 0]
    rise = curve[before_largest_fall(curve) - 1] - curve[:1]
    return float(_share(np.minimum(rise, largest_fall(series)), np.ptp(series.values[:, :1], axis=0))[0])


def swings(series: Series) -> float:
    """How often a curve goes up and down in turn by a quarter of its range or more, the first rise counted.

    None where it does not start in the lowest quarter of its range.
    """
    curve = series.values[:, 0]
    least = SWING * np.ptp(curve)
    if least == 0 or curve[0] > curve.min() + least:
        return 0.0
    # the curve turned upside down after each turn, so that it always rises to the next one
    count, sign, extreme = 1, 1.0, float(curve[0])
    for value in curve.tolist():
        if sign * (extreme - value) >= least:
            count, sign, extreme = count + 1, -sign, value
        elif sign * value > sign * extreme:
            extreme = value
    return float(count)


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quotient; 0 where the whole is."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
