"""Curves with other noise, and curves by chance: how far a number of one run can be trusted, and what chance gives."""

import math
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from arch.bootstrap import optimal_block_length
from numpy.typing import NDArray

from sharpest.claims.series import SMOOTHING, Series
from sharpest.claims.shapes import LINEAR, Statistic

NUM_REPLICATES = 200
NUM_SURROGATES = 199
FEWEST_BLOCKS = 5  # below which the error of a mean is not known
_TIMES = 4  # autocorrelation times in a block
_FEWEST_FOR_BLOCKS = 10  # points below which no block length is estimated
_MOST_CORRELATED = 0.99


@dataclass(frozen=True)
class Resampled:
    """A number of one run under other noise.

    Attributes:
        values: (b,), the number again and again; empty where its error is not known.
        blocks: Independent pieces of the curve behind it; NaN where the number of one run decides nothing.
    """

    values: NDArray[np.float64]
    blocks: float


def generator(name: str) -> np.random.Generator:
    """Of one name, the same numbers."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def resampled(series: Series, statistic: Statistic, name: str) -> Resampled:
    """A statistic of the same curve with other noise.

    A mean is taken over blocks of points drawn from the curve with replacement, in a circle, each of four
    autocorrelation times; of fewer than five blocks its error is not known. Any other statistic is taken of the
    smoothed curve plus what is left beside it, whose sign changes at random block by block; that misses noise as slow
    as the smoothed curve, and bounds the error from below.

    Args:
        series: (t, c).
        statistic: Turns it into the number.
        name: Series of the same name and length get the same draws, so that they are compared point by point.

    Source: the circular block bootstrap (Politis and Romano 1992); the dependent wild bootstrap (Shao 2010).
    """
    if statistic in LINEAR:
        return _of_blocks(series, statistic, generator(name))
    curves = _with_other_signs(series, generator(name))
    return Resampled(np.array([statistic(curve) for curve in curves]), math.nan)


def _of_blocks(series: Series, statistic: Statistic, rng: np.random.Generator) -> Resampled:
    count, time = len(series.epoch), autocorrelation_time(series.values)
    length = math.ceil(min(_TIMES * time, count))
    blocks = count / length
    if blocks < FEWEST_BLOCKS:
        return Resampled(np.empty(0), math.nan)
    starts = rng.integers(0, count, (NUM_REPLICATES, math.ceil(blocks)))
    places = (starts[:, :, None] + np.arange(length)).reshape(NUM_REPLICATES, -1)[:, :count] % count
    values = np.array([statistic(Series(series.epoch, series.values[row])) for row in places])
    # means of blocks miss the correlation between blocks, and vary about their own mean
    missed = (time - 1 / time) / (2 * length)
    widening = math.sqrt(blocks / (blocks - 1) / (1 - missed))
    return Resampled(values.mean() + widening * (values - values.mean()), blocks)


def autocorrelation_time(values: NDArray[np.float64]) -> float:
    """(1 + r) / (1 - r) of curves (t, c), with r the correlation of neighbours, freed of its bias; 1 at least.

    Of several curves the longest.

    Source: the bias of r is Kendall's (1954).
    """
    rest = values - values.mean(axis=0)
    squares = (rest**2).sum(axis=0)
    if len(values) <= 3 or not squares.any():
        return math.inf  # a constant curve, or next to none, says nothing of its noise
    correlation = (rest[1:] * rest[:-1]).sum(axis=0)[squares > 0] / squares[squares > 0]
    freed = min((len(values) * correlation.max() + 1) / (len(values) - 3), _MOST_CORRELATED)
    return max((1 + freed) / (1 - freed), 1.0)


def _with_other_signs(series: Series, rng: np.random.Generator) -> Iterator[Series]:
    """The middle of a curve plus its noise, made larger by what the middle has taken from it, with other signs."""
    count = len(series.epoch)
    if count == 1:
        return
    middle, leverage = _middle(series.values)
    noise = (series.values - middle) / np.sqrt(1 - leverage)[:, None]
    time = autocorrelation_time(noise)
    length = 1 if math.isinf(time) else min(math.ceil(time), count)
    signs = np.repeat(rng.choice([-1.0, 1.0], (NUM_REPLICATES, math.ceil(count / length), 1)), length, axis=1)
    for values in middle + signs[:, :count] * noise:
        yield Series(series.epoch, values)


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
    means = np.lib.stride_tricks.sliding_window_view(values, SMOOTHING, axis=0).mean(axis=-1)
    return np.concatenate([ends[0], means, ends[1]]), leverage


def _line(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lines that fit curves (t, c) best, at their points."""
    places = np.arange(len(values))
    slope, start = np.polyfit(places, values, 1)
    line: NDArray[np.float64] = np.outer(places, slope) + start
    return line


def surrogates(series: Series, kind: str, name: str) -> Iterator[Series]:
    """The same curve as chance would have it, 199 times.

    Args:
        series: (t, c).
        kind: As in :class:`~sharpest.claims.quantity.Quantity`: blocks of points shuffled, all curves alike; or the
            first curve shifted in a circle against the others.
        name: Decides the draws.
    """
    rng, count = generator(f"surrogates {name}"), len(series.epoch)
    if kind == "shifts":
        # a shift within the time over which a curve resembles itself is no other curve; none is one of the draws
        least = min(block_length(series.values), count // 2)
        for shift in rng.choice([0, *range(least, count - least + 1)], NUM_SURROGATES):
            shifted = series.values.copy()
            shifted[:, 0] = np.roll(shifted[:, 0], shift)
            yield Series(series.epoch, shifted)
        return
    blocks = np.array_split(np.arange(count), max(1, count // block_length(series.values)))
    for _ in range(NUM_SURROGATES):
        order = np.concatenate([blocks[place] for place in rng.permutation(len(blocks))])
        yield Series(series.epoch, series.values[order])


def block_length(values: NDArray[np.float64]) -> int:
    """Points of a block of curves (t, c), by the rule of Politis and White (2004); a third of the points at most.

    Of fewer than ten points one third.
    """
    count = len(values)
    most = max(1, math.ceil(count / 3))
    if count < _FEWEST_FOR_BLOCKS:
        return most
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a constant curve has no length
        lengths = optimal_block_length(values)["circular"].to_numpy()
    longest = np.nanmax(lengths, initial=1.0)
    return int(min(math.ceil(longest), most))
