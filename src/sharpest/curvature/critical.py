"""Critical sharpness, and spikes of a loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def spikes(loss: NDArray[np.float64], factor: float) -> dict[str, NDArray[Any]]:
    """Spikes and their aftermath, from the losses of several arms that start from one state.

    An arm diverges when its loss is no longer finite; its spike is then infinite. If the first arm diverges, there is
    nothing to compare with, and all spikes are NaN.

    Args:
        loss: (a, s), after 0, 1, ... updates of each arm; the first arm continues unchanged.
        factor: A spike above this value is a catapult.

    Returns:
        ``loss`` (a, s), NaN from the first non-finite loss on. The others are (a,): ``diverged``, the number of updates
        to that loss, -1 for none; ``spike``, the largest loss after an update over that of the first arm; ``catapult``,
        1, 0, or NaN where the spike is NaN; ``lasting``, the mean loss of the last quarter of the updates over that of
        the first arm; ``remaining``, that mean over the arm's own largest loss, NaN if the arm diverged.
    """
    nonfinite = ~np.isfinite(loss)
    diverged = np.where(nonfinite.any(axis=1), nonfinite.argmax(axis=1), -1)
    loss = np.where(np.maximum.accumulate(nonfinite, axis=1), np.nan, loss)
    quarter = -(-(loss.shape[1] - 1) // 4)
    highest, late = (
        np.where(diverged < 0, x, np.inf) for x in (loss[:, 1:].max(axis=1), loss[:, -quarter:].mean(axis=1))
    )
    with np.errstate(invalid="ignore"):  # infinity over infinity
        spike, lasting, remaining = highest / highest[0], late / late[0], late / highest
    if diverged[0] >= 0:
        spike, lasting = np.full_like(spike, np.nan), np.full_like(lasting, np.nan)
    catapult = np.where(np.isnan(spike), np.nan, spike > factor)
    values = {"spike": spike, "catapult": catapult, "lasting": lasting, "remaining": remaining}
    return {"loss": loss, "diverged": diverged, **values}


BRACKETED, NEVER_RISES, RISES_AT_ONCE, WITHIN_ROUNDING, NOT_FINITE = range(5)

DOUBLINGS = 10  # of the start at most, and as many halvings: a factor of a thousand either way

_Side = Literal["risen", "fallen", "unknown"]


@dataclass(frozen=True)
class CriticalStep:
    """A bracket of eta_c: the longest step that lowers the loss and the shortest that raises it.

    Attributes:
        low, high: These two steps; NaN if there is no such pair.
        outcome: One of the constants of this module: whether eta_c was bracketed, or why not.
        num_forwards: Evaluations of the loss, the exact ones included.
    """

    low: float
    high: float
    outcome: int
    num_forwards: int

    @property
    def value(self) -> float:
        """The midpoint of the bracket."""
        return (self.low + self.high) / 2

    @property
    def error(self) -> float:
        """Half the width of the bracket."""
        return (self.high - self.low) / 2


def critical_step(
    losses: Callable[[float], Tensor],
    start: float,
    tolerance: float = 1 / 16,
    exact: Callable[[float], Tensor] | None = None,
) -> CriticalStep:
    """The critical step eta_c = min{eta > 0: L(theta - eta D) > L(theta)}; the critical sharpness is 2 / eta_c.

    Eta is doubled or halved from a start until eta_c is bracketed, then bisected. Losses are compared example by
    example, and their differences summed in float64. A mean difference within the rounding of the losses is undecided,
    and computed again with ``exact``. Without ``exact``, an undecided difference ends the bisection early, with the
    current bracket as the error. A narrow rise between two doublings goes unnoticed.

    Args:
        losses: Maps eta to the losses at theta - eta D: (n,), one per example, or their mean.
        start: First eta, such as the last eta_c, or the learning rate.
        tolerance: Largest 1 - low/high.
        exact: The same losses in float64, if ``losses`` returns float32.

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
    """A step that lowers the loss, and a longer one that raises it; None for a step not found within the range."""
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
    """The loss along a line, compared with the loss at its start."""

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
        """Whether the loss at eta is above the loss at 0, beyond rounding; a non-finite loss counts as risen."""
        losses = self._at(eta)
        change = float((losses.double() - self._start.double()).mean())
        if not math.isfinite(change):
            return "risen"
        # for a probability near 1 the loss is the logarithm of a sum near 1, with the rounding error of that sum
        size = float(torch.maximum(losses.abs(), self._start.abs()).double().clamp(min=1).mean())
        if abs(change) > 4 * torch.finfo(losses.dtype).eps * size:
            return "risen" if change > 0 else "fallen"
        if self._exact is None:
            return "unknown"
        if self._finer is None:
            self._finer = _Line(self._exact, None)
        return self._finer.side(eta)


def directional_sharpness(direction: Tensor, image: Tensor, gradient: Tensor) -> float:
    """D.H D / D.g: 2 / eta_c in the quadratic model of the loss along D.

    For D = g it is the mean of the eigenvalues of H, weighted by the squared components of g along the eigenvectors,
    and thus at most the largest eigenvalue.

    Args:
        direction: D, (p,): the step is -eta D.
        image: H D, (p,).
        gradient: g, (p,).

    Returns:
        In the unit of the Hessian; NaN if D.g is 0.

    Source: Kalra et al. (2026), arXiv 2601.16979.
    """
    slope = float(direction.double() @ gradient.double())
    return float(direction.double() @ image.double()) / slope if slope else math.nan
