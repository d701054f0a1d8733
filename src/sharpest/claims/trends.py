"""The rule of each trend: a shape as a number within bounds."""

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
    """A shape as a number within bounds."""

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
    "rises-then-oscillates": Trend(swings, "swings up and down", (3.5, math.inf)),
}
_SUDDEN = Trend(lasting_fall, "lesser of rise and fall of the smoothed curve over range", (SWING, math.inf))


def trend(name: str, sudden: bool) -> Trend:
    """The rule of a trend.

    Args:
        name: One of the ledger's.
        sudden: Whether a fall counts from which the curve recovers.
    """
    return _SUDDEN if sudden and name == "rises-then-falls" else _TRENDS[name]
