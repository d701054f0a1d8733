"""Gradient descent at a large learning rate, its first steps and divergence, and the flow of vanishing steps."""

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


# Bogacki and Shampine (1989): stages, the last being the third-order solution, and its difference from second order
_STAGES = ((1 / 2,), (0, 3 / 4), (2 / 9, 1 / 3, 4 / 9))
_ERROR = (-5 / 72, 1 / 12, 1 / 9, -1 / 8)
_LEAST = 1e-12  # smallest step, relative to the requested time


@dataclass(frozen=True)
class Flowed:
    """The end point of a gradient flow.

    Attributes:
        theta: (p,); NaN if the flow could not be followed.
        step: Time step with which to continue.
        num_gradients: Gradients spent.
    """

    theta: Tensor
    step: float
    num_gradients: int


def gradient_flow(
    gradient: Callable[[Tensor], Tensor], theta: Tensor, time: float, tolerance: float = 1e-5, step: float | None = None
) -> Flowed:
    """Follow the gradient flow of a loss for a time.

    The estimated error of each step is at most ``tolerance`` times the norm of theta. Where the loss is smooth, the
    actual error is smaller, since the solution kept is one order better. At kinks of ReLU it is not. The errors of
    steps add up, and grow along directions of negative curvature: docs/curvature.md has the error of the path. Steps
    cannot outgrow 2.5 / sharpness: beyond it the method is unstable, which the error reveals. The error is not limited
    in proportion to the step: at a kink of ReLU no step would be short enough.

    Args:
        gradient: Gradient of the loss, (p,) to (p,); in float64, since the rounding of float32 would count as error.
        theta: Start, (p,).
        time: How long to follow the flow; n steps of gradient descent correspond to n eta.
        tolerance: Error of a step, relative to the norm of theta.
        step: First time step; by default the one that moves theta by 1 %.

    Source: Bogacki and Shampine (1989); flow beside descent: Cohen et al. (2021), arXiv 2103.00065.
    """
    slope, spent, elapsed = -gradient(theta), 1, 0.0
    if step is None:
        step = 0.01 * float(theta.norm() / slope.norm().clamp(min=torch.finfo(slope.dtype).tiny)) or time
    while elapsed < time:
        if not step > _LEAST * time:
            return Flowed(torch.full_like(theta, math.nan), math.nan, spent)
        taken = min(step, time - elapsed)
        slopes = [slope]
        for weights in _STAGES:
            moved = theta + taken * sum((w * k for w, k in zip(weights, slopes, strict=True) if w), slope * 0)
            slopes.append(-gradient(moved))
            spent += 1
        error = taken * float(sum((w * k for w, k in zip(_ERROR, slopes, strict=True)), slope * 0).norm())
        allowed = tolerance * float(theta.norm())
        ratio = error / allowed if allowed else 0.0 if error == 0 else math.inf
        if ratio <= 1:
            theta, slope, elapsed = moved, slopes[-1], time if taken == time - elapsed else elapsed + taken
        factor = 0.2 if not math.isfinite(ratio) else min(5.0, max(0.2, 0.9 * max(ratio, 1e-9) ** (-1 / 3)))
        # a step that was shortened to end on time says nothing about longer steps, unless it failed
        step = max(step, taken * factor) if taken < step and ratio <= 1 else taken * factor
    return Flowed(theta, step, spent)
