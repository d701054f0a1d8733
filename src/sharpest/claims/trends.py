"""The rule of each trend: a shape as a number within bounds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sharpest.claims.shapes import Statistic, hump, rank_correlation, sudden_fall, swings


@dataclass(frozen=True)
class Trend:
    """A shape as a number within bounds."""

    statistic: Statistic
    title: str
    bounds: tuple[float, float]


_TRENDS: Mapping[str, Trend] = {
    "rises": Trend(rank_correlation, "rank correlation", (0.5, math.inf)),
    "falls": Trend(rank_correlation, "rank correlation", (-math.inf, -0.5)),
    "rises-then-falls": Trend(hump, "lesser of rise and fall over range", (0.25, math.inf)),
    "rises-then-oscillates": Trend(swings, "swings up and down", (3.5, math.inf)),
}
_SUDDEN = Trend(sudden_fall, "lesser of rise and sudden fall over range", (0.25, math.inf))


def trend(name: str, sudden: bool) -> Trend:
    """The rule of a trend.

    Args:
        name: One of the ledger's.
        sudden: Whether a fall counts from which the curve recovers.
    """
    return _SUDDEN if sudden and name == "rises-then-falls" else _TRENDS[name]
