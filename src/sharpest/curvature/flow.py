"""Gradient flow: d theta / dt = -grad L, the path that gradient descent follows with steps of no length."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# Bogacki and Shampine (1989): stages, whose last is the third-order solution, and what it differs by from the second
_STAGES = ((1 / 2,), (0, 3 / 4), (2 / 9, 1 / 3, 4 / 9))
_ERROR = (-5 / 72, 1 / 12, 1 / 9, -1 / 8)
_LEAST = 1e-12  # step, in parts of the time asked for


@dataclass(frozen=True)
class Flowed:
    """Where a flow has come.

    Attributes:
        theta: (p,); NaN where the flow could not be followed.
        step: The time step that the next one should begin with.
        num_gradients: Gradients spent.
    """

    theta: Tensor
    step: float
    num_gradients: int


def gradient_flow(
    gradient: Callable[[Tensor], Tensor], theta: Tensor, time: float, tolerance: float = 1e-4, step: float | None = None
) -> Flowed:
    """Follow the gradient flow of a loss for a time.

    The estimated error of each step is at most ``tolerance`` times the length of theta; that of the step taken is less,
    since it is one order better. Steps cannot outgrow 2.5 / sharpness, where the method is no longer stable and the
    error shows it. The error is not held to a share of the step: at a kink of ReLU no step would be short enough.

    Args:
        gradient: Of the loss, (p,) to (p,); float64, or its rounding shows as an error.
        theta: Start, (p,).
        time: To go; in steps of gradient descent, eta times their number.
        tolerance: Error of a step, in parts of the length of theta.
        step: First time step; by default that which moves theta by 1 %.

    Source: Bogacki and Shampine (1989); flow beside descent: Cohen et al. (2021), arXiv 2103.00065.
    """
    slope, spent, gone = -gradient(theta), 1, 0.0
    if step is None:
        step = 0.01 * float(theta.norm() / slope.norm().clamp(min=torch.finfo(slope.dtype).tiny)) or time
    while gone < time:
        if not step > _LEAST * time:
            return Flowed(torch.full_like(theta, math.nan), math.nan, spent)
        taken = min(step, time - gone)
        slopes = [slope]
        for weights in _STAGES:
            moved = theta + taken * sum((w * k for w, k in zip(weights, slopes, strict=True) if w), slope * 0)
            slopes.append(-gradient(moved))
            spent += 1
        error = taken * float(sum((w * k for w, k in zip(_ERROR, slopes, strict=True)), slope * 0).norm())
        allowed = tolerance * float(theta.norm())
        ratio = error / allowed if allowed else 0.0 if error == 0 else math.inf
        if ratio <= 1:
            theta, slope, gone = moved, slopes[-1], time if taken == time - gone else gone + taken
        factor = 0.2 if not math.isfinite(ratio) else min(5.0, max(0.2, 0.9 * max(ratio, 1e-9) ** (-1 / 3)))
        # a step that was cut at the end says nothing of a longer one, unless it failed
        step = max(step, taken * factor) if taken < step and ratio <= 1 else taken * factor
    return Flowed(theta, step, spent)
