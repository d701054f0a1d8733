"""Statistics of curves along training: the numbers that are read from them, and their shapes."""

import math
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from sharpest.claims.series import FEWEST_POINTS, Series

# a curve swings, or starts low, where it is a quarter of its range that it moves, or lies above its lowest point
SWING = 0.25
STEADY = 0.5  # rank correlation with time of a curve that rises; that of one that falls is the negative
LONG = 1 / 20  # of a run, that a long growth lasts: 10 of the paper's 200 epochs
_NUM_ERRORS = 2.0  # standard errors of a difference, above which it is more than sampling makes
_PARTS, _LEAST_AROUND = 5, 11  # a trend is the mean over a fifth of the points around, and over 11 at least

Statistic = Callable[[Series], float]


def mean(series: Series) -> float:
    """Mean over points and curves."""
    return float(series.values.mean())


def maximum(series: Series) -> float:
    """The highest point."""
    return float(series.values.max())


def minimum(series: Series) -> float:
    """The lowest point."""
    return float(series.values.min())


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
    return _rank_correlation(series.values[:, 0])


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64] | None = None) -> float:
    """Spearman's, of (t,) and (t,), or with time where there is no second; 0 where one is constant."""
    ranks = [rankdata(values) for values in (first, second) if values is not None]
    if any(np.ptp(each) == 0 for each in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1] if len(ranks) > 1 else np.arange(len(first)))[0, 1])


def correlation_of_swings(series: Series) -> float:
    """Rank correlation of two curves, each less its mean over a fifth of the points around, 11 at least.

    Points without as many around them are left out.
    """
    width = points_around(len(series.epoch))
    means = np.lib.stride_tricks.sliding_window_view(series.values, width, axis=0).mean(axis=-1)
    swing = series.values[width // 2 : width // 2 + len(means)] - means
    return _rank_correlation(swing[:, 0], swing[:, 1])


def points_around(count: int) -> int:
    """Points, an odd number, over whose mean the trend of a curve of so many points is taken."""
    return max(_LEAST_AROUND, count // _PARTS // 2 * 2 + 1)


def share_of_second(series: Series) -> float:
    """Sum of the first curve over that of the second; 1 where the second has none above zero."""
    first, second = series.values.sum(axis=0)
    return float(first / second) if second > 0 else 1.0


LINEAR: Collection[Statistic] = (mean, per_cent, share_of_second)
"""Those whose error is that of a mean over points."""


def hump(series: Series) -> float:
    """How far a smoothed curve rises to its highest point and falls from there to its end: the lesser, over the range.

    The range is that of the points, so that noise, whose means vary less than it does, makes a low hump. Of several
    curves the least hump.
    """
    curves = series.smoothed().values
    top, ends = curves.max(axis=0), np.maximum(curves[0], curves[-1])
    return float(_share(top - ends, np.ptp(series.values, axis=0)).min())


def steady_hump(series: Series) -> float:
    """By how much a curve is a hump that falls steadily; below zero where it is none.

    The lesser margin of two conditions: :func:`hump` is at least a quarter, and the rank correlation with time from the
    top of the smoothed curve on at most -0.5; of fewer than five points there it counts as 0. Of several curves the
    least.
    """
    smooth, margins = series.smoothed(), [hump(series) - SWING]
    for curve, top in zip(series.values.T, smooth.values.argmax(axis=0), strict=True):
        after = curve[series.epoch >= smooth.epoch[top]]
        fall = _rank_correlation(after) if len(after) >= FEWEST_POINTS else 0.0
        margins.append(-STEADY - fall)
    return float(min(margins))


def settling(series: Series) -> float:
    """By how much the first curve rises and then grows no further; below zero where it does not.

    The lesser margin of two conditions on the smoothed curve, over the range of its points: it rises from its start by
    at least a quarter, and in the last half of the time it is nowhere higher than in the first half by more than a
    quarter.
    """
    smooth = series.smoothed()
    curve, late = smooth.values[:, 0], smooth.epoch > (series.epoch[0] + series.epoch[-1]) / 2
    if late.all() or not late.any():
        return -SWING
    moved = np.array([curve.max() - curve[0], curve[late].max() - curve[~late].max()])
    rise, growth = _share(moved, np.repeat(np.ptp(series.values[:, 0]), 2))
    return float(min(rise - SWING, SWING - growth))


def long_rise(series: Series) -> float:
    """By how much the first curve rises for long; below zero where it does not.

    The lesser margin of two conditions: the smoothed curve is highest a twentieth of the run or more after its start,
    and the rank correlation with time until then, over five points at least, is at least 0.5.
    """
    smooth, (start, end) = series.smoothed(), series.epoch[[0, -1]]
    top = smooth.epoch[smooth.values[:, 0].argmax()]
    until = series.rows(slice(max(FEWEST_POINTS, int((series.epoch <= top).sum()))))
    return float(min((top - start) / (end - start) - LONG, rank_correlation(until) - STEADY))


def sudden_fall(series: Series) -> float:
    """The lesser of the largest fall of a curve and the rise before it, over its range; it may recover afterwards."""
    curve = series.values[:, 0]
    rise = curve[before_largest_fall(curve) - 1] - curve[:1]
    return float(_share(np.minimum(rise, largest_fall(series)), np.ptp(series.values[:, :1], axis=0))[0])


def lasting_fall(series: Series) -> float:
    """The lesser of the largest fall of the smoothed first curve and the rise before it, over the range of its points.

    The fall counts as far as it exceeds two standard errors of a difference; the second curve is the sampling error of
    the first. Points share their examples, so that smoothing takes nothing from it.
    """
    smooth = series.smoothed()
    curve = smooth.values[:, 0]
    rise = curve[before_largest_fall(curve) - 1] - curve[:1]
    fall = max(largest_fall(smooth) - _made_by_sampling(series), 0.0)
    return float(_share(np.minimum(rise, fall), np.ptp(series.values[:, :1], axis=0))[0])


def swings(series: Series) -> float:
    """How often the smoothed first curve goes up and down in turn, the first rise counted.

    By a quarter of the range of its points or more each time, and by more than two standard errors of a difference,
    where a second curve gives the error of the first. None where it does not start in the lowest quarter of its range.
    """
    curve = series.smoothed().values[:, 0]
    quarter = SWING * np.ptp(series.values[:, 0])
    if quarter == 0 or curve[0] > curve.min() + quarter:
        return 0.0
    least = max(quarter, _made_by_sampling(series))
    # the curve turned upside down after each turn, so that it always rises to the next one
    count, sign, extreme = 1, 1.0, float(curve[0])
    for value in curve.tolist():
        if sign * (extreme - value) >= least:
            count, sign, extreme = count + 1, -sign, value
        elif sign * value > sign * extreme:
            extreme = value
    return float(count)


def _made_by_sampling(series: Series) -> float:
    """Two standard errors of a difference of points, whose largest error the second curve has; 0 without one."""
    return _NUM_ERRORS * math.sqrt(2) * float(series.values[:, 1].max()) if series.values.shape[1] > 1 else 0.0


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quotient; 0 where the whole is."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
