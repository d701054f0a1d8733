"""From measured numbers to a verdict at 95 %: holds, fails, or inconclusive."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sharpest.claims.ledger import NEGATIVE, POSITIVE

Verdict = Literal["holds", "fails", "inconclusive", "not_judged"]
Bounds = tuple[float, float]

LEVEL = 0.05
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """What one seed gives.

    Attributes:
        value: The number.
        replicates: (b,), the same under other noise; empty where its error is not known.
        blocks: Independent pieces behind the error, infinite where it is known; NaN where one seed decides nothing.
        open_above: The true number may be any larger one, as the run ended too early.
        open_below: Likewise, any smaller one.
        answers: (n,) bool, which test examples are answered correctly, where the number is their share in per cent.
        examples: What those examples are.
    """

    value: float
    replicates: _Floats
    blocks: float = math.nan
    open_above: bool = False
    open_below: bool = False
    answers: NDArray[np.bool_] | None = None
    examples: str = ""

    @property
    def error(self) -> float:
        """The standard error within the run; NaN where it is not known."""
        return float(self.replicates.std(ddof=1)) if len(self.replicates) > 1 else math.nan


def difference(first: Sample, second: Sample) -> Sample:
    """First minus second, of the same seed; accuracies on the same test examples are compared example by example."""
    compared = _compared(np.subtract, first, second)
    if first.answers is None or second.answers is None or first.examples != second.examples:
        return compared
    each = 100 * (first.answers.astype(float) - second.answers)
    error = each.std(ddof=1) / math.sqrt(len(each))
    # two numbers with that standard deviation
    replicates = compared.value + error * np.array([-1, 1]) / math.sqrt(2)
    return Sample(compared.value, replicates, blocks=math.inf)


def ratio(first: Sample, second: Sample) -> Sample:
    """First over second, of the same seed; both above zero."""
    return _compared(np.divide, first, second)


def _compared(operation: Callable[..., Any], first: Sample, second: Sample) -> Sample:
    if min(len(first.replicates), len(second.replicates)) > 1:
        replicates = operation(first.replicates, second.replicates)
    else:
        # what is known of the error of one of them bounds that of both
        known = [each.replicates if len(each.replicates) > 1 else np.array([each.value]) for each in (first, second)]
        replicates = np.atleast_1d(operation(*known))
    return Sample(
        float(operation(first.value, second.value)),
        replicates,
        min(first.blocks, second.blocks),
        open_above=first.open_above or second.open_below,
        open_below=first.open_below or second.open_above,
    )


@dataclass(frozen=True)
class Measured:
    """Numbers of several seeds, each with what is known of it; leading dimensions are of different numbers.

    Attributes:
        values: (..., n).
        errors: (..., n), standard errors within the runs, NaN where unknown.
        blocks: (..., n), as of :class:`Sample`; of one seed alone it matters.
        open_above, open_below: (...), whether the true number may be any larger or smaller one.
    """

    values: _Floats
    errors: _Floats
    blocks: _Floats
    open_above: NDArray[Any]
    open_below: NDArray[Any]


@dataclass(frozen=True)
class Tested:
    """Numbers against bounds.

    Attributes:
        value: (...), mean over seeds.
        error: (...), its standard error; NaN where not known.
        low, high: (...), the ends of its 95 % interval, infinite where the error is not known.
        p_holds: (...), least level at which it lies within the bounds; above 0.05 it does not hold.
        p_fails: (...), likewise outside.
    """

    value: _Floats
    error: _Floats
    low: _Floats
    high: _Floats
    p_holds: _Floats
    p_fails: _Floats


def against(measured: Measured, bounds: Bounds, alone: bool = True) -> Tested:
    """Test whether numbers lie within bounds, two-sided at 95 %.

    Of n seeds the mean is tested with Student's t of n - 1 degrees; its standard error is that between the seeds, or
    that within the runs where this is larger. Of one seed it is that within the run, with as many degrees as it has
    blocks but one. Seeds that all give one number say what a sign test says of them. An interval within both bounds is
    two one-sided tests, each at 2.5 % (an equivalence test).

    Args:
        measured: The numbers.
        bounds: Lowest and highest allowed value, which are allowed themselves; but 0 has no sign.
        alone: Whether one seed can decide: not between runs, whose own spread it does not show.
    """
    count = measured.values.shape[-1]
    value = measured.values.mean(axis=-1)
    within = np.sqrt((np.nan_to_num(measured.errors) ** 2).sum(axis=-1)) / count
    if count > 1:
        error = np.maximum(measured.values.std(axis=-1, ddof=1) / math.sqrt(count), within)
        degrees = np.full(value.shape, count - 1.0)
    else:
        blocks = measured.blocks[..., 0]
        known = alone & np.isfinite(measured.errors[..., 0]) & ~np.isnan(blocks)
        error, degrees = np.where(known, within, math.nan), np.where(known, blocks - 1, 1.0)
    above, below = (
        _one_sided(value, error, degrees, bound, sign, count, bounds)
        for bound, sign in zip(bounds, (1, -1), strict=True)
    )
    outside_below = _one_sided(value, error, degrees, bounds[0], -1, count, None)
    outside_above = _one_sided(value, error, degrees, bounds[1], 1, count, None)
    # an open end says nothing about larger, or smaller, numbers; those are allowed where there is no bound
    open_below, open_above = measured.open_below, measured.open_above
    above = np.where(open_below & math.isfinite(bounds[0]), 1.0, above)
    below = np.where(open_above & math.isfinite(bounds[1]), 1.0, below)
    outside_below = np.where(open_above, 1.0, outside_below)
    outside_above = np.where(open_below, 1.0, outside_above)
    half = stats.t.ppf(1 - LEVEL / 2, degrees) * error
    unknown = np.isnan(error)
    return Tested(
        value,
        error,
        low=np.where(open_below | unknown, -math.inf, value - half),
        high=np.where(open_above | unknown, math.inf, value + half),
        p_holds=np.minimum(2 * np.maximum(above, below), 1.0),
        p_fails=np.minimum(2 * np.minimum(outside_below, outside_above), 1.0),
    )


def _one_sided(
    value: _Floats, error: _Floats, degrees: _Floats, bound: float, sign: int, count: int, within: Bounds | None
) -> _Floats:
    """Level at which values lie above a bound (sign 1) or below it (-1); 1 where their error is not known.

    Args:
        within: Bounds that are allowed themselves, unless they only ask for a sign; None = no bound is.
    """
    if math.isinf(bound):
        return np.full(value.shape, 0.0 if sign * bound < 0 else 1.0)  # every number lies above minus infinity
    distance = sign * (value - bound)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = stats.t.sf(distance / error, degrees)
    allowed = within is not None and within not in (POSITIVE, NEGATIVE)
    agreed = (distance > 0) | ((distance == 0) & allowed)
    level = np.where(error == 0, np.where(agreed, 0.5**count, 1.0), level)
    return np.where(np.isnan(error), 1.0, level)


def over_all(p_holds: _Floats, p_fails: _Floats) -> tuple[_Floats, _Floats]:
    """The same of several statements (q, ...) that all have to hold; of q, one that fails does so at a q-th of 5 %."""
    return p_holds.max(axis=0), np.minimum(len(p_fails) * p_fails.min(axis=0), 1.0)


def verdict_of(p_holds: float, p_fails: float) -> Verdict:
    """The verdict at 95 %."""
    if p_holds <= LEVEL:
        return "holds"
    return "fails" if p_fails <= LEVEL else "inconclusive"
