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
    """The number of one seed.

    Attributes:
        value: The number.
        replicates: Replicates of the number with new noise (b,); empty if its error is unknown.
        blocks: Independent blocks behind the error; infinite if the error is exact, NaN if one seed cannot decide.
        open_above: The value is only a lower bound, as the run ended too early.
        open_below: The value is only an upper bound, as in a difference whose second number is open above.
        answers: For a test accuracy in per cent, which examples are answered correctly (n,), bool.
        examples: The name of the test set.
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
        """The standard error within the run; NaN if unknown."""
        return float(self.replicates.std(ddof=1)) if len(self.replicates) > 1 else math.nan


def difference(first: Sample, second: Sample) -> Sample:
    """First minus second, for the same seed; accuracies on the same test set are compared example by example."""
    compared = _compared(np.subtract, first, second)
    if first.answers is None or second.answers is None or first.examples != second.examples:
        return compared
    each = 100 * (first.answers.astype(float) - second.answers)
    error = each.std(ddof=1) / math.sqrt(len(each))
    # two replicates whose standard deviation is the error
    replicates = compared.value + error * np.array([-1, 1]) / math.sqrt(2)
    return Sample(compared.value, replicates, blocks=math.inf)


def ratio(first: Sample, second: Sample) -> Sample:
    """First over second, for the same seed; both must be positive."""
    return _compared(np.divide, first, second)


def _compared(operation: Callable[..., Any], first: Sample, second: Sample) -> Sample:
    if min(len(first.replicates), len(second.replicates)) > 1:
        replicates = operation(first.replicates, second.replicates)
    else:
        # the error of one, if known, is a lower bound of the error of the result
        samples = [each.replicates if len(each.replicates) > 1 else np.array([each.value]) for each in (first, second)]
        replicates = np.atleast_1d(operation(*samples))
    return Sample(
        float(operation(first.value, second.value)),
        replicates,
        min(first.blocks, second.blocks),
        open_above=first.open_above or second.open_below,
        open_below=first.open_below or second.open_above,
    )


@dataclass(frozen=True)
class Measured:
    """Numbers of n seeds with their errors; the leading dimensions hold different numbers.

    Attributes:
        values: The numbers (..., n).
        errors: Standard errors within the runs (..., n); NaN if unknown.
        blocks: As in ``Sample`` (..., n); used only with a single seed.
        open_above, open_below: Whether the numbers are only lower or upper bounds (...).
    """

    values: _Floats
    errors: _Floats
    blocks: _Floats
    open_above: NDArray[Any]
    open_below: NDArray[Any]


@dataclass(frozen=True)
class Tested:
    """Numbers tested against bounds; all arrays have the leading dimensions of ``Measured``.

    Attributes:
        value: Mean over seeds.
        error: Standard error of the mean; NaN if unknown.
        low, high: Ends of the 95 % interval; infinite if the error is unknown.
        p_holds: Lowest level at which the mean lies within the bounds; the claim holds up to 0.05.
        p_fails: Lowest level at which it lies outside; the claim fails up to 0.05.
    """

    value: _Floats
    error: _Floats
    low: _Floats
    high: _Floats
    p_holds: _Floats
    p_fails: _Floats


def against(measured: Measured, bounds: Bounds, alone: bool = True) -> Tested:
    """Test whether numbers lie within bounds, two-sided at 95 %.

    With n seeds, the mean is tested with Student's t with n - 1 degrees of freedom; its standard error is the larger of
    that between the seeds and that within the runs. With one seed, the error within the run is used, with one degree
    of freedom less than it has blocks. If all seeds give the same number, a sign test is used. Two finite bounds make
    an equivalence test: two one-sided tests, each at 2.5 %.

    Args:
        measured: The numbers.
        bounds: Lowest and highest allowed value, inclusive; but 0 has no sign.
        alone: Whether one seed can decide. It cannot in comparisons of runs, as it does not show their spread.
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
    # a number open below cannot be shown to lie above a bound, nor one open above to lie below a bound
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
    """Level at which values lie above (sign 1) or below (sign -1) a bound; 1 if their error is unknown.

    Args:
        within: Bounds that are inclusive, unless they only require a sign; None = the bound is exclusive.
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
    """Combine q statements (q, ...) that must all hold. The claim fails if one fails at a q-th of 5 % (Bonferroni)."""
    return p_holds.max(axis=0), np.minimum(len(p_fails) * p_fails.min(axis=0), 1.0)


def verdict_of(p_holds: float, p_fails: float) -> Verdict:
    """The verdict at 95 %."""
    if p_holds <= LEVEL:
        return "holds"
    return "fails" if p_fails <= LEVEL else "inconclusive"
