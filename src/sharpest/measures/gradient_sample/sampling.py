"""Mini-batch gradients of a point, and products of Hessians with them."""

from __future__ import annotations

import torch
from torch import Tensor

from sharpest.curvature.batches import batch_curvature
from sharpest.curvature.gradient_noise import gram
from sharpest.measures.point import Point


def sampled(point: Point, num_batches: int) -> tuple[Tensor, Tensor]:
    """Gradients g_m, (m, p), and g_m.H_m g_m, (m,) float64, for the same batches as in ``directions``."""
    problem, full = point.problem, point.hessian.gradient
    size = problem.settings.batch_size
    if problem.settings.full_batch:  # the Hessian examples are the full batch
        curvature = gram(full[None], point.hessian.product(full)[None])[0]
        return full.expand(num_batches, -1), curvature.expand(num_batches)
    draws = (point.data.stream.sample(f"gradient-{m}", point.iteration, size) for m in range(num_batches))
    batches = ((batch.inputs, batch.targets) for batch in draws)
    return batch_curvature(problem.model.loss, point.theta, batches, point.settings.chunk_size)


def products(point: Point, gradients: Tensor) -> Tensor:
    """g_m.g_n, (m, m) float64, for gradients (m, p)."""
    return gram(_distinct(point, gradients)).expand(len(gradients), len(gradients))


def images(point: Point, gradients: Tensor) -> Tensor:
    """g_m.H g_n, (j, j) float64, for gradients (j, p)."""
    distinct = _distinct(point, gradients)
    columns = [gram(distinct, point.hessian.product(gradient)[None]) for gradient in distinct]
    return torch.cat(columns, dim=1).expand(len(gradients), len(gradients))


def _distinct(point: Point, gradients: Tensor) -> Tensor:
    """In a full-batch run all are equal: one is enough, and products expanded from it are equal to the last bit."""
    return gradients[:1] if point.problem.settings.full_batch else gradients
