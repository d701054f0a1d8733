"""Distance between gradient descent and the gradient flow of its loss at one point."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sharpest.curvature.descent import gradient_flow, mean_gradient
from sharpest.data.dataset import Split
from sharpest.errors import SharpestError
from sharpest.measures.gradient_flow import Settings
from sharpest.measures.point import Point
from sharpest.trajectory.problem import chunks_of

_SAME = 1e-3  # largest relative difference of two gradients that count as equal


def measure(point: Point, settings: Settings) -> dict[str, Any]:
    """Continue the flow from the previous point; at the first point of a segment, from the start of the run.

    Raises:
        SharpestError: If training descends another loss than the measured one.

    Source: Cohen et al. (2021), arXiv 2103.00065.
    """
    batch = point.data.stream.batch(point.iteration)
    chunks = chunks_of(batch, point.settings.chunk_size)

    def gradient(theta: Tensor) -> Tensor:
        return mean_gradient(point.problem.model.loss, chunks, theta)[1]

    def loss(theta: Tensor) -> float:
        with torch.no_grad():
            return float(point.problem.mean_loss(theta, batch, point.settings.chunk_size))

    _check_descends(point, batch)
    start = point.carried.get("theta", point.start.double())
    time = point.lr * (point.iteration - point.carried.get("iteration", point.problem.settings.start))
    flowed = gradient_flow(gradient, start, time, settings.tolerance, point.carried.get("step"))
    point.carried |= {"theta": flowed.theta, "iteration": point.iteration, "step": flowed.step}
    return {
        "loss": loss(point.theta.double()),
        "flow_loss": loss(flowed.theta),
        "distance": float((point.theta.double() - flowed.theta).norm()),
        "flow_time": point.lr * (point.iteration - point.problem.settings.start),
        "gradients": flowed.num_gradients,
    }


def _check_descends(point: Point, batch: Split) -> None:
    """Check that the next update follows this gradient: no dropout, batch statistics, clipping or other batches."""
    trained, *_ = point.problem.training_gradient(point.theta, point.state.buffers.clone(), point.iteration)
    gradient = point.problem.gradient(point.theta, batch)  # in the same precision, which matters if it is small
    if not float((trained - gradient).norm()) <= _SAME * float(gradient.norm()):
        raise SharpestError(
            f"{point.run}: gradient_flow: training descends another loss than the measured one; use a net without "
            "dropout and batch normalisation"
        )
