"""Resample curves: with new noise, for the error of a number within a run; and as surrogates, for chance."""

import math
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
from arch.bootstrap import optimal_block_length
from numpy.typing import NDArray

from sharpest.claims.shapes import LINEAR, SMOOTHING, Series, Statistic
from sharpest.claims.verdicts import Sample

NUM_REPLICATES = 200
NUM_SURROGATES = 199
FEWEST_BLOCKS = 5  # with fewer blocks the error of a mean is unknown
_TIMES = 4  # autocorrelation times in a block
_FEWEST_FOR_BLOCKS = 10  # with fewer points no block length is estimated
_MOST_CORRELATED = 0.99


def generator(name: str) -> np.random.Generator:
    """A random generator seeded by a name."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def with_error(value: float, error: float, run: str) -> Sample:
    """A number of a run with a known standard error."""
    return Sample(value, value + error * generator(run).standard_normal(NUM_REPLICATES if error else 0),
                  math.inf if error else math.nan)  # fmt: skip


def resampled(series: Series, statistic: Statistic, name: str) -> Sample:
    """A statistic of a curve, and its replicates with new noise.

    A mean uses a circular block bootstrap: blocks of four autocorrelation times, drawn with replacement. With fewer
    than five blocks its error is unknown. Any other statistic uses a wild bootstrap: the smoothed curve plus its
    residuals, whose signs are drawn at random block by block. That misses noise as slow as the smoothed curve, so it
    bounds the error from below.

    Args:
        series: Curves (t, c).
        statistic: Turns the curves into the number.
        name: Seed of the draws. Series of the same name and length get the same draws, which pairs their points.

    Source: the circular block bootstrap (Politis and Romano 1992); the dependent wild bootstrap (Shao 2010).
    """
    if statistic in LINEAR:
        return _block_bootstrap(series, statistic, generator(name))
    curves = _wild_bootstrap(series, generator(name))
    return Sample(statistic(series), np.array([statistic(curve) for curve in curves]))


def _block_bootstrap(series: Series, statistic: Statistic, rng: np.random.Generator) -> Sample:
    count, time = len(series.epoch), autocorrelation_time(series.values)
    length = math.ceil(min(_TIMES * time, count))
    blocks = count / length
    if blocks < FEWEST_BLOCKS:
        return Sample(statistic(series))
    starts = rng.integers(0, count, (NUM_REPLICATES, math.ceil(blocks)))
    places = (starts[:, :, None] + np.arange(length)).reshape(NUM_REPLICATES, -1)[:, :count] % count
    values = np.array([statistic(Series(series.epoch, series.values[row])) for row in places])
    # block means miss the correlation between blocks, and their variance is about the sample mean
    missed = (time - 1 / time) / (2 * length)
    widening = math.sqrt(blocks / (blocks - 1) / (1 - missed))
    return Sample(statistic(series), values.mean() + widening * (values - values.mean()), blocks)


def autocorrelation_time(values: NDArray[np.float64]) -> float:
    """Autocorrelation time (1 + r) / (1 - r) of curves (t, c), in points; at least 1.

    r is the bias-corrected correlation of neighbouring points. With several curves, the longest time.

    Source: the bias of r is Kendall's (1954).
    """
    deviations = values - values.mean(axis=0)
    squares = (deviations**2).sum(axis=0)
    if len(values) <= 3 or not squares.any():
        return math.inf  # a constant curve, or one of three points or fewer, does not show its noise
    correlation = (deviations[1:] * deviations[:-1]).sum(axis=0)[squares > 0] / squares[squares > 0]
    corrected = min((len(values) * correlation.max() + 1) / (len(values) - 3), _MOST_CORRELATED)
    return max((1 + corrected) / (1 - corrected), 1.0)


def _wild_bootstrap(series: Series, rng: np.random.Generator) -> Iterator[Series]:
    """The smoothed curve plus its residuals, corrected for their leverage, with random signs by block."""
    count = len(series.epoch)
    if count == 1:
        return
    smooth, leverage = _smooth(series.values)
    noise = (series.values - smooth) / np.sqrt(1 - leverage)[:, None]
    time = autocorrelation_time(noise)
    length = 1 if math.isinf(time) else min(math.ceil(time), count)
    signs = np.repeat(rng.choice([-1.0, 1.0], (NUM_REPLICATES, math.ceil(count / length), 1)), length, axis=1)
    for values in smooth + signs[:, :count] * noise:
        yield Series(series.epoch, values)


def _smooth(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Moving averages of five points; at the ends, lines fitted to five points. The mean of fewer than five points.

    Args:
        values: Curves (t, c).

    Returns:
        The smoothed curves (t, c), and the weight of each point in its own smoothed value, its leverage (t,).
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
    """Least-squares lines through curves (t, c), at their points."""
    places = np.arange(len(values))
    slope, start = np.polyfit(places, values, 1)
    line: NDArray[np.float64] = np.outer(places, slope) + start
    return line


def surrogates(series: Series, kind: str, name: str) -> Iterator[Series]:
    """Generate 199 surrogates of the curves.

    Args:
        series: Curves (t, c).
        kind: ``blocks`` shuffles blocks of points, the same for all curves; ``shifts`` shifts the first curve
            circularly against the others.
        name: Seed of the draws.
    """
    rng, count = generator(f"surrogates {name}"), len(series.epoch)
    if kind == "shifts":
        # a shift below the block length gives nearly the same curve, so draw longer shifts, or none
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
    """Block length of curves (t, c) in points, by the rule of Politis and White (2004).

    At most a third of the points; a third if there are fewer than ten.
    """
    count = len(values)
    most = max(1, math.ceil(count / 3))
    if count < _FEWEST_FOR_BLOCKS:
        return most
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a constant curve has no block length
        lengths = optimal_block_length(values)["circular"].to_numpy()
    longest = np.nanmax(lengths, initial=1.0)
    return int(min(math.ceil(longest), most))
