"""The rule of each trend: a statistic of the shape, and its bounds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sharpest.claims.shapes import (
    STEADY,
    SWING,
    Statistic,
    hump,
    lasting_fall,
    long_rise,
    rank_correlation,
    settling,
    steady_hump,
    swings,
)


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
