"""How long a step along a direction may be before it raises the loss; and the curvature that the direction sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor

BRACKETED, NEVER_RISES, RISES_AT_ONCE, WITHIN_ROUNDING, NOT_FINITE = range(5)

DOUBLINGS = 10  # from the start to the longest step, and to the shortest: a factor of a thousand either way

_Side = Literal["risen", "fallen", "unknown"]


@dataclass(frozen=True)
class CriticalStep:
    """eta_c between the longest step that lowers the loss and the shortest that raises it.

    Attributes:
        low, high: These two; NaN where there is no such pair.
        outcome: One of the numbers of this module: whether it was found, or why not.
        num_forwards: Evaluations of the loss, the exact ones included.
    """

    low: float
    high: float
    outcome: int
    num_forwards: int

    @property
    def value(self) -> float:
        """The middle of the two."""
        return (self.low + self.high) / 2

    @property
    def error(self) -> float:
        """Half of their distance."""
        return (self.high - self.low) / 2


def critical_step(
    losses: Callable[[float], Tensor],
    start: float,
    tolerance: float = 1 / 16,
    exact: Callable[[float], Tensor] | None = None,
) -> CriticalStep:
    """eta_c = min{eta > 0: L(theta - eta D) > L(theta)}, whose sharpness is 2 / eta_c.

    Eta is doubled or halved from a start until it is bracketed, then bisected. Losses are compared example by example:
    the differences are summed in float64, and one whose mean is within the rounding of the losses decides nothing. It
    is taken again with ``exact``; without, a bisection that meets one ends early, with the bracket as its error. A
    narrow rise between two doublings is not seen.

    Args:
        losses: eta to the losses at theta - eta D: (n,), one an example, or their mean.
        start: First eta, such as the last eta_c, or the learning rate.
        tolerance: Largest 1 - low/high.
        exact: The same losses in float64, where ``losses`` gives float32.

    Raises:
        ValueError: If the start or the tolerance is not positive.

    Source: Kalra et al. (2026), arXiv 2601.16979; the tolerance is that of their code.
    """
    if not (0 < start < math.inf and 0 < tolerance < 1):
        raise ValueError(f"start {start} and tolerance {tolerance} must be above 0, and tolerance below 1")
    line = _Line(losses, exact)
    if not line.finite:
        return CriticalStep(math.nan, math.nan, NOT_FINITE, line.num_forwards)
    low, high = _bracket(line, start)
    if low is None or high is None:
        outcome = NEVER_RISES if low is not None else RISES_AT_ONCE if high is not None else WITHIN_ROUNDING
        return CriticalStep(math.nan, math.nan, outcome, line.num_forwards)
    while 1 - low / high > tolerance:
        middle = (low + high) / 2
        side = line.side(middle)
        if side == "unknown":
            break
        low, high = (low, middle) if side == "risen" else (middle, high)
    return CriticalStep(low, high, BRACKETED, line.num_forwards)


def _bracket(line: _Line, start: float) -> tuple[float | None, float | None]:
    """A step that lowers the loss, and a longer one that raises it; None where there is none within the range."""
    low, high = None, None
    for doublings in range(DOUBLINGS + 1):
        side = line.side(start * 2**doublings)
        if side == "risen":
            high = start * 2**doublings
            break
        low = start * 2**doublings if side == "fallen" else low
    if high is None:
        return low, high
    for halvings in range(1, DOUBLINGS + 1):
        if low is not None:
            break
        eta = start / 2**halvings
        side = line.side(eta)
        low, high = (eta if side == "fallen" else None), (eta if side == "risen" else high)
    return low, high


class _Line:
    """The loss along a line, against that at its start."""

    def __init__(self, losses: Callable[[float], Tensor], exact: Callable[[float], Tensor] | None) -> None:
        self._losses, self._passes = losses, 0
        self._start = self._at(0.0)
        self.finite = bool(self._start.isfinite().all())
        self._exact, self._finer = exact, cast("_Line | None", None)

    @property
    def num_forwards(self) -> int:
        """Evaluations so far, the exact ones included."""
        return self._passes + (self._finer.num_forwards if self._finer else 0)

    def _at(self, eta: float) -> Tensor:
        self._passes += 1
        with torch.no_grad():
            return self._losses(eta)

    def side(self, eta: float) -> _Side:
        """Whether the loss at eta is above that at 0, beyond rounding; one that is not finite is."""
        losses = self._at(eta)
        change = float((losses.double() - self._start.double()).mean())
        if not math.isfinite(change):
            return "risen"
        # a loss of a probability near 1 is the logarithm of a sum near 1, and as wrong as one near 1
        size = float(torch.maximum(losses.abs(), self._start.abs()).double().clamp(min=1).mean())
        if abs(change) > 4 * torch.finfo(losses.dtype).eps * size:
            return "risen" if change > 0 else "fallen"
        if self._exact is None:
            return "unknown"
        if self._finer is None:
            self._finer = _Line(self._exact, None)
        return self._finer.side(eta)


def directional_sharpness(direction: Tensor, image: Tensor, gradient: Tensor) -> float:
    """D.H D / D.g: 2 / eta_c of the quadratic model of the loss along D.

    For D = g it is the mean of the eigenvalues of H, weighted by the squares of the gradient's parts along their
    vectors, so that it is at most the largest.

    Args:
        direction: D, (p,): the step is -eta D.
        image: H D, (p,).
        gradient: g, (p,).

    Returns:
        In the unit of the Hessian; NaN where D.g is 0.

    Source: Kalra et al. (2026), arXiv 2601.16979.
    """
    slope = float(direction.double() @ gradient.double())
    return float(direction.double() @ image.double()) / slope if slope else math.nan
