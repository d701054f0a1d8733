"""From measured numbers to a verdict at 95 %: holds, fails, or inconclusive."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
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
    """The number of one run.

    Attributes:
        value: The number.
        replicates: Replicates of the number with new noise (b,); empty if its error is unknown.
        blocks: Independent blocks behind the error; infinite if the error is exact, NaN if one seed cannot decide.
        open_above: The value is only a lower bound, as the run ended too early.
        open_below: The value is only an upper bound, as in a difference whose second number is open above.
        answers: For a test accuracy in per cent, which examples are answered correctly (n,), bool.
        examples: The name of the test set; answers on the same test set are compared example by example.
        run: Id of the run; empty for a number of several runs, of none, or along a random direction.
    """

    value: float
    replicates: _Floats = field(default_factory=lambda: np.empty(0))
    blocks: float = math.nan
    open_above: bool = False
    open_below: bool = False
    answers: NDArray[np.bool_] | None = None
    examples: str = ""
    run: str = ""

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


PARTS = ("value", "error", "blocks", "open_above", "open_below")
"""The parts of samples that are tested, in the order of the arrays of ``Numbers``."""


@dataclass(frozen=True)
class Numbers:
    """Numbers of n seeds, and their test against bounds, two-sided at 95 %.

    With n seeds, the mean is tested with Student's t with n - 1 degrees of freedom; its standard error is the larger of
    that between the seeds and that within the runs. With one seed, the error within the run is used, with one degree
    of freedom less than it has blocks. If all seeds give the same number, a sign test is used. Two finite bounds make
    an equivalence test: two one-sided tests, each at 2.5 %.

    Attributes:
        values: The numbers (..., n); the leading dimensions hold different numbers.
        errors: Standard errors within the runs (..., n); NaN if unknown.
        blocks: As in ``Sample`` (..., n); used only with a single seed.
        open_above, open_below: Whether the numbers are only lower or upper bounds (...).
        bounds: Lowest and highest allowed value, inclusive; but 0 has no sign.
        alone: Whether one seed can decide. It cannot in comparisons of runs, as it does not show their spread.
    """

    values: _Floats
    errors: _Floats
    blocks: _Floats
    open_above: NDArray[Any]
    open_below: NDArray[Any]
    bounds: Bounds
    alone: bool = True

    @classmethod
    def of(cls, samples: Sequence[Sample], bounds: Bounds, alone: bool = True) -> Numbers:
        """One number, with a sample per seed."""
        values, errors, blocks, above, below = (
            np.array([getattr(sample, part) for sample in samples]) for part in PARTS
        )
        return cls(values, errors, blocks, np.array(above.any()), np.array(below.any()), bounds, alone)

    @property
    def value(self) -> _Floats:
        """Means over seeds (...)."""
        mean: _Floats = self.values.mean(axis=-1)
        return mean

    @cached_property
    def _spread(self) -> tuple[_Floats, _Floats]:
        """Standard errors of the means and their degrees of freedom."""
        count = self.values.shape[-1]
        within = np.sqrt((np.nan_to_num(self.errors) ** 2).sum(axis=-1)) / count
        if count > 1:
            error = np.maximum(self.values.std(axis=-1, ddof=1) / math.sqrt(count), within)
            return error, np.full(error.shape, count - 1.0)
        blocks = self.blocks[..., 0]
        known = self.alone & np.isfinite(self.errors[..., 0]) & ~np.isnan(blocks)
        return np.where(known, within, math.nan), np.where(known, blocks - 1, 1.0)

    @property
    def error(self) -> _Floats:
        """Standard errors of the means (...); NaN if unknown."""
        return self._spread[0]

    @property
    def interval(self) -> tuple[_Floats, _Floats]:
        """The ends of the 95 % intervals (...); infinite if the error is unknown."""
        error, degrees = self._spread
        half, unknown = stats.t.ppf(1 - LEVEL / 2, degrees) * error, np.isnan(error)
        low = np.where(self.open_below | unknown, -math.inf, self.value - half)
        return low, np.where(self.open_above | unknown, math.inf, self.value + half)

    @cached_property
    def p_holds(self) -> _Floats:
        """Lowest levels at which the means lie within the bounds (...); a claim holds up to 0.05."""
        above, below = (self._beyond(end, sign, self.bounds) for end, sign in zip(self.bounds, (1, -1), strict=True))
        # a number open below cannot be shown to lie above a bound, nor one open above to lie below a bound
        above = np.where(self.open_below & math.isfinite(self.bounds[0]), 1.0, above)
        below = np.where(self.open_above & math.isfinite(self.bounds[1]), 1.0, below)
        return np.minimum(2 * np.maximum(above, below), 1.0)

    @cached_property
    def p_fails(self) -> _Floats:
        """Lowest levels at which the means lie outside of the bounds (...); a claim fails up to 0.05."""
        below = np.where(self.open_above, 1.0, self._beyond(self.bounds[0], -1, None))
        above = np.where(self.open_below, 1.0, self._beyond(self.bounds[1], 1, None))
        return np.minimum(2 * np.minimum(below, above), 1.0)

    def over_all(self) -> tuple[_Floats, _Floats]:
        """The levels of q statements (q, ...) that must all hold; one fails at a q-th of 5 % (Bonferroni)."""
        return self.p_holds.max(axis=0), np.minimum(len(self.p_fails) * self.p_fails.min(axis=0), 1.0)

    def margins(self) -> _Floats:
        """How far the worst of q means (q, p) lies within the bounds (p,)."""
        low, high = self.bounds
        inside = [self.value - low] * math.isfinite(low) + [high - self.value] * math.isfinite(high)
        worst: _Floats = np.min(inside, axis=(0, 1))
        return worst

    def _beyond(self, bound: float, sign: int, within: Bounds | None) -> _Floats:
        """Level at which means lie above (sign 1) or below (sign -1) a bound; 1 if their error is unknown.

        Args:
            within: Bounds that are inclusive, unless they only require a sign; None = the bound is exclusive.
        """
        error, degrees = self._spread
        if math.isinf(bound):
            return np.full(error.shape, 0.0 if sign * bound < 0 else 1.0)  # every number lies above minus infinity
        distance = sign * (self.value - bound)
        with np.errstate(divide="ignore", invalid="ignore"):
            level = stats.t.sf(distance / error, degrees)
        allowed = within is not None and within not in (POSITIVE, NEGATIVE)
        agreed = (distance > 0) | ((distance == 0) & allowed)
        level = np.where(error == 0, np.where(agreed, 0.5 ** self.values.shape[-1], 1.0), level)
        return np.where(np.isnan(error), 1.0, level)


def verdict_of(p_holds: float, p_fails: float) -> Verdict:
    """The verdict at 95 %."""
    if p_holds <= LEVEL:
        return "holds"
    return "fails" if p_fails <= LEVEL else "inconclusive"
