"""From measured numbers to a verdict: holds, fails, or inconclusive where the spread covers both answers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.ledger import NEGATIVE, POSITIVE
from sharpest.claims.series import Series
from sharpest.claims.shapes import Statistic

Verdict = Literal["holds", "fails", "inconclusive", "not_judged"]
SEVERITY: Sequence[Verdict] = ("fails", "inconclusive", "holds")
"""Where several statements have to hold, the first of these that one of them gets."""


@dataclass(frozen=True)
class Sample:
    """What one seed gives.

    Attributes:
        value: The number.
        replicates: (b,), the same from curves with other noise, or (1,) where it is not read from curves.
        open_above: The true number may be any larger one, as the run ended too early.
        open_below: Likewise, any smaller one.
    """

    value: float
    replicates: NDArray[np.float64]
    open_above: bool = False
    open_below: bool = False


@dataclass(frozen=True)
class Pooled:
    """A number with its spread.

    Attributes:
        value: Mean over seeds.
        spread: Its standard error: from the seeds, of one seed the standard deviation of its replicates; NaN where
            there is neither.
        low, high: One spread below and above, or infinite.
    """

    value: float
    spread: float
    low: float
    high: float


def pooled(samples: Sequence[Sample]) -> Pooled:
    """Put seeds together."""
    values = np.array([sample.value for sample in samples])
    spreading = values / math.sqrt(len(values)) if len(samples) > 1 else samples[0].replicates
    spread = float(spreading.std(ddof=1)) if len(spreading) > 1 else math.nan
    value, half = float(values.mean()), 0.0 if math.isnan(spread) else spread
    return Pooled(
        value,
        spread,
        low=-math.inf if any(sample.open_below for sample in samples) else value - half,
        high=math.inf if any(sample.open_above for sample in samples) else value + half,
    )


def difference(first: Sample, second: Sample) -> Sample:
    """First minus second, of the same seed."""
    return _compared(np.subtract, first, second)


def ratio(first: Sample, second: Sample) -> Sample:
    """First over second, of the same seed; both above zero."""
    return _compared(np.divide, first, second)


def _compared(operation: Callable[..., NDArray[np.float64]], first: Sample, second: Sample) -> Sample:
    return Sample(
        float(operation(first.value, second.value)),
        operation(first.replicates, second.replicates),
        open_above=first.open_above or second.open_below,
        open_below=first.open_below or second.open_above,
    )


def within(number: Pooled, bounds: tuple[float, float]) -> Verdict:
    """Whether a number lies between two bounds, which are allowed themselves; but 0 has no sign."""
    low, high = bounds
    signless = bounds in (POSITIVE, NEGATIVE) and 0 in (number.low, number.high)
    if low <= number.low and number.high <= high and not signless:
        return "holds"
    return "fails" if number.high < low or high < number.low else "inconclusive"


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on several statements that all have to hold."""
    return next(verdict for verdict in SEVERITY if verdict in verdicts)


def over_levels(samples: Sequence[Sample], statistic: Statistic) -> Sample:
    """The statistic of the curve whose points are the numbers of one seed at several levels."""

    def of(values: NDArray[np.float64]) -> float:
        return statistic(Series(np.arange(len(values), dtype=float), values[:, None]))

    replicates = np.stack(np.broadcast_arrays(*(sample.replicates for sample in samples)))
    return Sample(of(np.array([sample.value for sample in samples])), np.array([of(column) for column in replicates.T]))
