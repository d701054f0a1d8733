"""Gradient flow: d theta / dt = -grad L, the path that gradient descent follows with steps of no length."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# Dormand and Prince (1980): stages, whose last is the fifth-order solution, and what it differs by from the fourth
_STAGES = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_ERROR = (71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
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
    gradient: Callable[[Tensor], Tensor], theta: Tensor, time: float, tolerance: float = 1e-5, step: float | None = None
) -> Flowed:
    """Follow the gradient flow of a loss for a time.

    Steps are as long as the estimated error allows: it is at most ``tolerance`` times the length of the step in
    parameters, so that the error at the end is at most that share of the path's length, where the flow does not spread.
    They cannot outgrow 3.3 / sharpness, where the method is no longer stable and the error shows it.

    Args:
        gradient: Of the loss, (p,) to (p,); float64, or its rounding shows as an error.
        theta: Start, (p,).
        time: To go; in steps of gradient descent, eta times their number.
        tolerance: Error in parts of the path.
        step: First time step; by default that which moves theta by 1 %.

    Source: Dormand and Prince (1980), error per unit step; flow beside descent: Cohen et al. (2021), arXiv 2103.00065.
    """
    slope, spent, gone = -gradient(theta), 1, 0.0
    if step is None:
        step = 0.01 * float(theta.norm() / slope.norm().clamp(min=torch.finfo(slope.dtype).tiny)) or time
    while gone < time:
        if not step > _LEAST * time:
            return Flowed(torch.full_like(theta, math.nan), math.nan, spent)
        taken = min(step, time - gone)
        slopes = [slope]
        for weights in _STAGES[1:]:
            moved = theta + taken * sum((w * k for w, k in zip(weights, slopes, strict=True) if w), slope * 0)
            slopes.append(-gradient(moved))
            spent += 1
        error = taken * float(sum((w * k for w, k in zip(_ERROR, slopes, strict=True)), slope * 0).norm())
        allowed = tolerance * float((moved - theta).norm()) + 1e-13 * float(theta.norm())
        ratio = error / allowed if allowed else 0.0 if error == 0 else math.inf
        if ratio <= 1:
            theta, slope, gone = moved, slopes[-1], time if taken == time - gone else gone + taken
        # the error grows with the fourth power of the step, beside its length
        factor = 0.2 if not math.isfinite(ratio) else min(5.0, max(0.2, 0.9 * max(ratio, 1e-9) ** -0.25))
        # a step that was cut at the end says nothing of a longer one, unless it failed
        step = max(step, taken * factor) if taken < step and ratio <= 1 else taken * factor
    return Flowed(theta, step, spent)
