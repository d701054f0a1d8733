"""Critical sharpness: how long the optimizer's next step may be before it raises the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from sharpest.curvature.critical import BRACKETED, CriticalStep, critical_step
from sharpest.watch.moment import Moment
from sharpest.watch.nets import BatchLoss
from sharpest.watch.optimizers import next_step

_TOLERANCE = 1 / 16

Chunks = Sequence[tuple[Any, range]]


def critical(moment: Moment) -> tuple[float, float, dict[str, Any]] | None:
    """The critical sharpness of the next step, its error, and the arrays of the layout; None without a step.

    The optimizer makes the step for the gradient of the given batch, or of the probe. Lengths are multiples of that
    step, which also works with several learning rates; lengths in units of lr are then NaN.

    Source: Kalra et al. (2026), arXiv 2601.16979.
    """
    optimizer, (chunks, hessian) = moment.subject.optimizer, moment.batch
    assert optimizer is not None  # ensured by check_settings
    try:
        step = next_step(optimizer, moment.parameters, hessian.gradient)
    except ValueError as error:
        moment.subject.say(f"no critical sharpness: {error}")
        return None
    lr = moment.edges.lr
    curved, slope = step @ hessian.product(step.to(moment.theta)).double(), step @ hessian.gradient.double()
    modelled = 2 * abs(float(slope / curved)) if slope and curved else 1.0
    of_batch = of_probe = _search(moment, "batch", chunks, step, modelled)
    if chunks is not moment.subject.probe:
        of_probe = _search(moment, "full", moment.subject.probe, step, modelled)
    directional = float(curved / slope) / lr if slope and lr else math.nan
    critical_lr = of_batch.value * lr
    value = 2 / critical_lr if critical_lr else math.nan
    arrays = {
        "batch_sharpness": [directional],
        "directional_sharpness": directional,
        "critical_sharpness": value,
        **_arrays(of_batch, "", "batch", lr),
        **_arrays(of_probe, "_full", "full", lr),
    }
    return value, value * of_batch.error / of_batch.value, arrays


def _search(moment: Moment, name: str, chunks: Chunks, step: Tensor, modelled: float) -> CriticalStep:
    """Search for the critical multiple of the step, starting from the result of the previous search."""
    start = moment.carried.get(f"critical {name}", modelled)
    losses = _losses(moment.function, moment.theta, chunks, step)
    result = critical_step(losses, start, _TOLERANCE, _exact_losses(moment, chunks, step))
    if result.outcome == BRACKETED:
        moment.carried[f"critical {name}"] = result.value
    return result


def _losses(function: BatchLoss, theta: Tensor, chunks: Chunks, step: Tensor) -> Callable[[float], Tensor]:
    weights = [len(examples) for _, examples in chunks]

    def at(multiple: float) -> Tensor:
        moved = (theta.double() - multiple * step).to(theta)
        pairs = zip(chunks, weights, strict=True)
        shares = [function(moved, batch) * (weight / sum(weights)) for (batch, _), weight in pairs]
        return torch.stack(shares).sum()

    return at


def _exact_losses(moment: Moment, chunks: Chunks, step: Tensor) -> Callable[[float], Tensor] | None:
    """The losses in float64; None if theta is in float64 already, or if the net does not run in float64."""
    if moment.theta.dtype == torch.float64:
        return None
    function = moment.subject.function(double=True)
    losses = _losses(function, function.theta, chunks, step)
    try:
        with torch.no_grad():
            losses(0.0)
    except RuntimeError:
        return None
    return losses


def _arrays(step: CriticalStep, ending: str, kind: str, lr: float) -> dict[str, Any]:
    """The stored values of one search."""
    return {
        f"{kind}_lr": [step.value * lr],
        f"{kind}_outcome": [step.outcome],
        f"critical_lr{ending}": step.value * lr,
        f"critical_lr{ending}_error": step.error * lr,
        f"critical_ratio{ending}": step.value,
        f"num_found{ending}": int(step.outcome == BRACKETED),
        f"forwards{ending}": step.num_forwards,
    }
