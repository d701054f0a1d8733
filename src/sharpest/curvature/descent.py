"""The first steps of full-batch gradient descent at a large learning rate: catapult and divergence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Gradient = Callable[[Tensor], tuple[float, Tensor]]
"""Maps theta (p,) to the loss and its gradient (p,)."""

ROUNDING = 4 * float(np.finfo("f4").eps)  # relative rounding error of a loss


def mean_gradient(
    loss: Callable[[Tensor, Tensor, Tensor], Tensor], chunks: Sequence[tuple[Tensor, Tensor]], theta: Tensor
) -> tuple[float, Tensor]:
    """The mean loss over examples and its gradient (p,), chunk by chunk, in the dtype of theta.

    Args:
        loss: ``loss(theta, inputs, targets)``, the mean over the examples given.
        chunks: (inputs, targets) pairs, which may differ in size.
        theta: (p,).
    """
    count, value, total = sum(len(targets) for _, targets in chunks), 0.0, torch.zeros_like(theta)
    for inputs, targets in chunks:
        point = theta.detach().requires_grad_()
        share = loss(point, inputs, targets) * (len(targets) / count)
        total += torch.autograd.grad(share, point)[0]
        value += float(share.detach())
    return value, total


@dataclass(frozen=True)
class Descent:
    """s steps of gradient descent, and the state before them.

    Attributes:
        losses: (s + 1,); NaN after the first loss that diverged.
        sharpness: (s + 1,); NaN from the first loss that diverged on.
    """

    losses: NDArray[np.float64]
    sharpness: NDArray[np.float64]


def descend(
    gradient: Gradient, sharpness: Callable[[Tensor], float], theta: Tensor, lr: float, num_steps: int, largest: float
) -> Descent:
    """Take steps of gradient descent until the loss diverges.

    Args:
        gradient: Returns loss and gradient.
        sharpness: Maps theta (p,) to the largest eigenvalue; called at each state whose loss has not diverged.
        theta: Start, (p,).
        lr: Learning rate eta.
        num_steps: s.
        largest: A loss above this value, or a non-finite one, has diverged.
    """
    losses, sharp = np.full(num_steps + 1, np.nan), np.full(num_steps + 1, np.nan)
    for step in range(num_steps + 1):
        losses[step], slope = gradient(theta)
        if not losses[step] <= largest:
            break
        sharp[step] = sharpness(theta)
        theta = theta - lr * slope
    return Descent(losses, sharp)


@dataclass(frozen=True)
class Thresholds:
    """Learning rates, in units of 1 / lambda_0, at which the first steps change character; NaN if beyond the grid.

    Attributes:
        loss: c_loss, the smallest that raises the loss above its initial value.
        sharpness: c_sharp, the smallest that raises the sharpness above its initial value.
        largest: c_max, the last before the smallest that diverges.
    """

    loss: float
    sharpness: float
    largest: float


def thresholds(
    factors: NDArray[np.float64],
    losses: NDArray[np.float64],
    sharpness: NDArray[np.float64],
    largest: float,
    tolerance: float,
) -> Thresholds:
    """Read the thresholds off descents from one start.

    Args:
        factors: c = eta lambda_0, (c,), increasing.
        losses: (c, s + 1); NaN after a loss that diverged.
        sharpness: (c, s + 1); NaN from a loss that diverged on.
        largest: A loss above this value, or a non-finite one, has diverged.
        tolerance: Relative increase that counts as a rise of the sharpness: the tolerance of the eigensolver.

    Source: Lewkowycz et al. (2020), arXiv 2003.02218; Kalra and Barkeshli (2023), arXiv 2302.12250.
    """
    diverged = ~(losses <= largest).all(axis=1)
    risen = diverged | (np.nan_to_num(losses) > losses[:, :1] * (1 + ROUNDING)).any(axis=1)
    sharper = (np.nan_to_num(sharpness) > sharpness[:, :1] * (1 + tolerance)).any(axis=1)
    first_diverged = int(np.argmax(diverged)) if diverged.any() else 0
    return Thresholds(
        loss=_first(factors, risen),
        sharpness=_first(factors, sharper),
        largest=float(factors[first_diverged - 1]) if first_diverged else math.nan,
    )


def _first(factors: NDArray[np.float64], holds: Any) -> float:
    return float(factors[np.argmax(holds)]) if holds.any() else math.nan
