"""Curves along training: their statistics, their shape, and the rule of each trend."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

SMOOTHING = 5  # points in a moving average (inventory, section 8)
FEWEST_POINTS = 5  # needed by a trend


class UnmeasuredError(Exception):
    """A run does not have what a claim needs: it ended before, or did not measure it. The message is the reason."""


@dataclass(frozen=True)
class Series:
    """Curves over the same points.

    Attributes:
        epoch: The epochs (t,), increasing; or another abscissa.
        values: The c curves (t, c), finite.
    """

    epoch: NDArray[np.float64]
    values: NDArray[np.float64]

    def rows(self, selected: NDArray[np.bool_] | slice) -> Series:
        """The selected points, given as a mask (t,) or a slice."""
        return Series(self.epoch[selected], self.values[selected])

    def smoothed(self) -> Series:
        """Centred moving average of five points; one mean if there are fewer points."""
        if len(self.epoch) < SMOOTHING:
            return Series(self.epoch.mean(keepdims=True), self.values.mean(axis=0, keepdims=True))
        half = SMOOTHING // 2
        means = np.lib.stride_tricks.sliding_window_view(self.values, SMOOTHING, axis=0).mean(axis=-1)
        return Series(self.epoch[half:-half], means)


SWING = 0.25  # fraction of the range that counts as a swing; a curve starts low if it starts within it of its minimum
STEADY = 0.5  # least rank correlation with time of a rising curve; a falling one has at most its negative
LONG = 1 / 20  # least fraction of a run that a long rise takes: 10 of the paper's 200 epochs
_NUM_ERRORS = 2.0  # a difference counts above this many of its standard errors
_PARTS, _SHORTEST_WINDOW = 5, 11  # a moving average covers a fifth of the points, and at least 11

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
    """The highest value of the smoothed first curve."""
    return float(series.smoothed().values[:, 0].max())


def peak_epoch(series: Series) -> float:
    """The epoch at which the smoothed first curve is highest."""
    smooth = series.smoothed()
    return float(smooth.epoch[smooth.values[:, 0].argmax()])


def still_rising(series: Series) -> bool:
    """Whether the smoothed first curve is highest at its end."""
    curve = series.smoothed().values[:, 0]
    return bool(curve.argmax() == len(curve) - 1)


def per_cent(series: Series) -> float:
    """Sum of the first curve over the sum of the second, in per cent. Small values in the second thus weigh little."""
    return float(100 * series.values[:, 0].sum() / series.values[:, 1].sum())


def largest_fall(series: Series) -> float:
    """Largest fall of the first curve below its running maximum."""
    curve = series.values[:, 0]
    return float((np.maximum.accumulate(curve) - curve).max())


def before_largest_fall(curve: NDArray[np.float64]) -> int:
    """Number of points of a curve (t,) up to and including the start of its largest fall."""
    bottom = int((np.maximum.accumulate(curve) - curve).argmax())
    return int(curve[: bottom + 1].argmax()) + 1


def rank_correlation(series: Series) -> float:
    """Spearman's correlation of the first curve with time: 1 if it always rises, -1 if it always falls."""
    return _rank_correlation(series.values[:, 0])


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64] | None = None) -> float:
    """Spearman's correlation of two curves (t,), or of one with time; 0 if a curve is constant."""
    ranks = [rankdata(values) for values in (first, second) if values is not None]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1] if len(ranks) > 1 else np.arange(len(first)))[0, 1])


def correlation_of_swings(series: Series) -> float:
    """Rank correlation of two curves, each minus its centred moving average.

    The average covers a fifth of the points, at least 11. Points without a full window are left out.
    """
    width = points_around(len(series.epoch))
    means = np.lib.stride_tricks.sliding_window_view(series.values, width, axis=0).mean(axis=-1)
    swing = series.values[width // 2 : width // 2 + len(means)] - means
    return _rank_correlation(swing[:, 0], swing[:, 1])


def points_around(count: int) -> int:
    """Width in points, an odd number, of the moving average of a curve of ``count`` points."""
    return max(_SHORTEST_WINDOW, count // _PARTS // 2 * 2 + 1)


def share_of_second(series: Series) -> float:
    """Sum of the first curve over that of the second; 1 if the sum of the second is not positive."""
    first, second = series.values.sum(axis=0)
    return float(first / second) if second > 0 else 1.0


LINEAR: Collection[Statistic] = (mean, per_cent, share_of_second)
"""Statistics whose error is that of a mean over points."""


def hump(series: Series) -> float:
    """Height of the hump of a smoothed curve, over its range.

    The height is the lesser of the rise from the start to the maximum and the fall from there to the end. The range is
    that of the points before smoothing, so noise makes only a low hump. With several curves, the lowest hump.
    """
    curves = series.smoothed().values
    top, ends = curves.max(axis=0), np.maximum(curves[0], curves[-1])
    return float(_ratio(top - ends, np.ptp(series.values, axis=0)).min())


def steady_hump(series: Series) -> float:
    """Margin by which a curve is a hump with a steady fall; negative if it is not.

    The lesser margin of two conditions: ``hump`` is at least a quarter; the rank correlation with time from the maximum
    of the smoothed curve on is at most -0.5, and counts as 0 with fewer than five points. With several curves, the
    least margin.
    """
    smooth, margins = series.smoothed(), [hump(series) - SWING]
    for curve, top in zip(series.values.T, smooth.values.argmax(axis=0), strict=True):
        after = curve[series.epoch >= smooth.epoch[top]]
        fall = _rank_correlation(after) if len(after) >= FEWEST_POINTS else 0.0
        margins.append(-STEADY - fall)
    return float(min(margins))


def settling(series: Series) -> float:
    """Margin by which the first curve rises and then settles; negative if it does not.

    The lesser margin of two conditions on the smoothed curve, relative to the range of the points: it rises from its
    start by at least a quarter; its maximum in the second half of the time exceeds that in the first half by at most a
    quarter.
    """
    smooth = series.smoothed()
    curve, late = smooth.values[:, 0], smooth.epoch > (series.epoch[0] + series.epoch[-1]) / 2
    if late.all() or not late.any():
        return -SWING
    rises = np.array([curve.max() - curve[0], curve[late].max() - curve[~late].max()])
    rise, growth = _ratio(rises, np.repeat(np.ptp(series.values[:, 0]), 2))
    return float(min(rise - SWING, SWING - growth))


def long_rise(series: Series) -> float:
    """Margin by which the first curve rises for long; negative if it does not.

    The lesser margin of two conditions: the smoothed curve peaks at least a twentieth of the run after its start; the
    rank correlation with time up to the peak, over at least five points, is at least 0.5.
    """
    smooth, (start, end) = series.smoothed(), series.epoch[[0, -1]]
    top = smooth.epoch[smooth.values[:, 0].argmax()]
    until = series.rows(slice(max(FEWEST_POINTS, int((series.epoch <= top).sum()))))
    return float(min((top - start) / (end - start) - LONG, rank_correlation(until) - STEADY))


def sudden_fall(series: Series) -> float:
    """The lesser of the largest fall of a curve and the rise before it, over its range; the curve may recover."""
    curve = series.values[:, 0]
    rise = curve[before_largest_fall(curve) - 1] - curve[:1]
    return float(_ratio(np.minimum(rise, largest_fall(series)), np.ptp(series.values[:, :1], axis=0))[0])


def lasting_fall(series: Series) -> float:
    """The lesser of the largest fall of the smoothed first curve and the rise before it, over the range of its points.

    Two standard errors of a difference are subtracted from the fall. The second curve is the sampling error of the
    first; all points share their examples, so smoothing does not reduce it.
    """
    smooth = series.smoothed()
    curve = smooth.values[:, 0]
    rise = curve[before_largest_fall(curve) - 1] - curve[:1]
    fall = max(largest_fall(smooth) - _sampling_difference(series), 0.0)
    return float(_ratio(np.minimum(rise, fall), np.ptp(series.values[:, :1], axis=0))[0])


def swings(series: Series) -> float:
    """Number of alternating rises and falls of the smoothed first curve, including the first rise.

    Each must be at least a quarter of the range of the points, and more than two standard errors of a difference if a
    second curve gives the error of the first. 0 if the curve does not start in the lowest quarter of its range.
    """
    curve = series.smoothed().values[:, 0]
    quarter = SWING * np.ptp(series.values[:, 0])
    if quarter == 0 or curve[0] > curve.min() + quarter:
        return 0.0
    least = max(quarter, _sampling_difference(series))
    # sign flips the curve at each turn, so that it always rises to the next one
    count, sign, extreme = 1, 1.0, float(curve[0])
    for value in curve.tolist():
        if sign * (extreme - value) >= least:
            count, sign, extreme = count + 1, -sign, value
        elif sign * value > sign * extreme:
            extreme = value
    return float(count)


def _sampling_difference(series: Series) -> float:
    """Two standard errors of a difference of points, from the largest error in the second curve; 0 without one."""
    return _NUM_ERRORS * math.sqrt(2) * float(series.values[:, 1].max()) if series.values.shape[1] > 1 else 0.0


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """``part / whole``; 0 if ``whole`` is 0."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


@dataclass(frozen=True)
class Trend:
    """A statistic of the shape of a curve, and the bounds it must lie in."""

    statistic: Statistic
    title: str
    bounds: tuple[float, float]


_TRENDS: Mapping[str, Trend] = {
    "rises": Trend(rank_correlation, "rank correlation", (STEADY, math.inf)),
    "rises-for-long": Trend(long_rise, "lesser margin of a late peak and a rise until then", (0.0, math.inf)),
    "rises-then-settles": Trend(settling, "lesser margin of a rise and no growth after half-time", (0.0, math.inf)),
    "falls": Trend(rank_correlation, "rank correlation", (-math.inf, -STEADY)),
    "rises-then-falls": Trend(hump, "lesser of rise and fall over range", (SWING, math.inf)),
    "rises-then-falls-steadily": Trend(steady_hump, "lesser margin of a hump and a steady fall", (0.0, math.inf)),
    "rises-then-oscillates": Trend(swings, "number of swings up and down", (3.5, math.inf)),
}
_SUDDEN = Trend(lasting_fall, "lesser of rise and fall of the smoothed curve over range", (SWING, math.inf))


def trend(name: str, sudden: bool) -> Trend:
    """The rule of a trend.

    Args:
        name: Name of the trend in the ledger.
        sudden: Whether a fall counts even if the curve recovers.
    """
    return _SUDDEN if sudden and name == "rises-then-falls" else _TRENDS[name]
