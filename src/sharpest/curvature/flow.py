"""Gradient flow: d theta / dt = -grad L, the path of gradient descent in the limit of vanishing steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

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
