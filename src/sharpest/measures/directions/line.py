"""The loss along a line through the parameters."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from torch import Tensor


def loss_profile(
    loss: Callable[[Tensor], float],
    theta: Tensor,
    direction: Tensor,
    distances: Sequence[float],
    start: float | None = None,
) -> NDArray[np.float64]:
    """L(theta + s e) for each s.

    Args:
        loss: At a parameter vector (p,).
        theta: (p,).
        direction: e, (p,).
        distances: s, in units of |e|.
        start: L(theta), where it is known.

    Returns:
        (g,), nats.
    """
    moved = torch.empty_like(theta)

    def at(distance: float) -> float:
        if distance == 0 and start is not None:
            return start
        return loss(torch.add(theta, direction, alpha=distance, out=moved))

    return np.array([at(distance) for distance in distances])


_ACCURACY = 0.015  # estimated error of a mean change, in parts of it; on 20 lines of two nets the true one kept to 0.01
_REFINEMENTS = 5  # of one mean, then all its samples are measured: between close points, kinks fool the estimate
ROUNDING = 4 * float(np.finfo("f4").eps)  # of a loss that is a float32 mean, in parts of it
_NEIGHBOURS = 5


class LossLine:
    """The loss along one direction, read off a profile that is measured once and refined where that is not enough.

    Between the points of the profile the loss is a cubic spline. Its error within an interval is estimated by that of
    a cubic through the neighbours at the interval's ends, each left out in turn: twice as coarse as the spline, so that
    even at a kink of ReLU it is rarely below the truth. Beyond the profile, and next to points where the loss is not
    finite, nothing is interpolated.

    Args:
        loss: At a parameter vector (p,), a float32 mean.
        theta: (p,).
        direction: Unit vector e, (p,).
        distances: (g,), increasing, with 0.
        values: (g,), L(theta + s e) at those distances.
    """

    def __init__(
        self,
        loss: Callable[[Tensor], float],
        theta: Tensor,
        direction: Tensor,
        distances: NDArray[np.float64],
        values: NDArray[np.float64],
    ) -> None:
        self._loss, self._theta, self._direction = loss, theta, direction
        self._distances, self._values = distances, values
        self._start = float(values[np.flatnonzero(distances == 0)[0]])

    def mean_changes(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean over samples of L(theta + s e) - L(theta), with an error of at most 1 % of it.

        Where the spline's estimate is above that, the loss is measured at the worst of the distances asked for, which
        then belongs to the profile; if five are not enough, at all of that mean. A change within the rounding of a
        float32 loss is not refined.

        Args:
            distances: s, (a, m): m samples each.

        Returns:
            (a,), nats.
        """
        refined = np.zeros(len(distances), int)
        while True:
            values, errors = self._interpolated(distances)
            unknown = np.isinf(errors)
            if unknown.any():
                self._measure(np.unique(distances[unknown]))
                continue
            changes = values.mean(axis=1) - self._start
            allowed = np.maximum(_ACCURACY * np.abs(changes), ROUNDING * abs(self._start))
            # a mean that is not finite cannot be refined
            excess = np.nan_to_num(errors.mean(axis=1) / allowed, nan=0.0)
            worst = int(np.argmax(excess))
            if excess[worst] <= 1:
                return changes
            most = errors[worst].max()
            chosen = errors[worst] == most if refined[worst] < _REFINEMENTS else errors[worst] > 0
            refined[worst] += 1
            self._measure(np.unique(distances[worst, chosen]))

    def _measure(self, distances: NDArray[np.float64]) -> None:
        values = loss_profile(self._loss, self._theta, self._direction, distances.tolist())
        order = np.argsort(np.concatenate([self._distances, distances]))
        self._distances = np.concatenate([self._distances, distances])[order]
        self._values = np.concatenate([self._values, values])[order]

    def _interpolated(self, distances: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Losses and the estimates of their errors: none where they are measured, infinite where nothing is known."""
        values, errors = np.full(distances.shape, self._start), np.full(distances.shape, np.inf)
        x, y = self._distances, self._values
        broken = np.flatnonzero(~np.isfinite(y))
        low = max((i + 1 for i in broken if x[i] <= 0), default=0)
        high = min((i for i in broken if x[i] >= 0), default=len(x))
        if high - low >= _NEIGHBOURS and x[low] < x[high - 1]:
            x, y = x[low:high], y[low:high]
            inside = (distances >= x[0]) & (distances <= x[-1])
            values[inside] = CubicSpline(x, y)(distances[inside])
            left_out = _errors_if_left_out(x, y)
            intervals = np.searchsorted(x, distances[inside]).clip(1, len(x) - 1)
            errors[inside] = np.maximum(left_out[intervals - 1], left_out[intervals])
        place = np.searchsorted(self._distances, distances).clip(max=len(self._distances) - 1)
        measured = self._distances[place] == distances
        values[measured], errors[measured] = self._values[place[measured]], 0.0
        return values, errors


def _errors_if_left_out(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the cubic through the four nearest other points misses each inner point; 0 at the ends.

    Args:
        x, y: (g,), at least five points, increasing in x.
    """
    inner = np.arange(1, len(x) - 1)
    window = np.clip(inner - 2, 0, len(x) - _NEIGHBOURS)[:, None] + np.arange(_NEIGHBOURS)
    others = window[window != inner[:, None]].reshape(-1, _NEIGHBOURS - 1)
    nodes, apart = x[others], x[inner][:, None] - x[others]
    weights = np.ones_like(nodes)
    for node, other in itertools.permutations(range(_NEIGHBOURS - 1), 2):  # Lagrange's
        weights[:, node] *= apart[:, other] / (nodes[:, node] - nodes[:, other])
    return np.pad(np.abs((weights * y[others]).sum(axis=1) - y[inner]), 1)
