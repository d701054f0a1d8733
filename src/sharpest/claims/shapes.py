"""Statistics of curves along training: the numbers that are read from them, and their shapes."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sharpest.claims.series import Series

# a curve swings, or starts low, where it is a quarter of its range that it moves, or lies above its lowest point
SWING = 0.25

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
