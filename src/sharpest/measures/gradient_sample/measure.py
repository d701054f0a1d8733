"""Mini-batch gradients and their curvature at one point."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from sharpest.curvature import gradient_noise as noise
from sharpest.curvature.batches import batch_curvature
from sharpest.curvature.gradient_noise import gram
from sharpest.curvature.stochastic import Estimate
from sharpest.measures.gradient_sample import Settings
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


def measure(point: Point, settings: Settings) -> dict[str, Any]:
    """Batch sharpness, noise scales and gradient covariance.

    All values are of the loss in inference mode, like the Hessian of ``spectra``: batch normalisation uses running
    averages, and there is no dropout. In a full-batch run every batch is the full batch.
    """
    assert point.eigenvectors is not None  # the measure needs spectra with vectors
    full, vectors = point.hessian.gradient[None], point.eigenvectors[: settings.num_directions]
    gradients, curvature = sampled(point, settings.num_batches)
    gram, full_sq = products(point, gradients), noise.gram(full)[0]
    squares, eigenvalues = gram.diagonal(), noise.covariance_eigenvalues(gram)
    projection, full_projection = noise.gram(gradients, vectors), noise.gram(full, vectors)
    return {
        **_estimate("batch_sharpness", noise.batch_sharpness(curvature, squares)),
        **_estimate("ratio_of_means", noise.ratio_of_means(curvature, squares)),
        **_by_full_hessian(point, gradients[: settings.full_curvature_batches], gram, float(full_sq)),
        "noise_scale": noise.noise_scale(gram, point.problem.settings.batch_size, float(full_sq)),
        "covariance_trace": eigenvalues.sum(),
        "covariance_eigenvalues": eigenvalues[: settings.num_eigenvalues],
        "covariance_conditioning": noise.conditioning(eigenvalues),
        "covariance_error": noise.half_sample_error(gram),
        "chi_full": noise.dominant_share(full_projection, full_sq)[0],
        "chi_batch": noise.dominant_share(projection, squares).mean(),
        "gram": gram,
        "batch_curvature": curvature,
        "g_dot": noise.gram(gradients, full)[:, 0],
        "full_gradient_sq": full_sq[0],
        "projection": projection,
        "full_projection": full_projection[0],
    }


def _by_full_hessian(point: Point, gradients: Tensor, gram: Tensor, full_sq: float) -> dict[str, Any]:
    """Values that need products of the full Hessian with gradients (j, p); empty for j = 0."""
    if (j := len(gradients)) == 0:
        return {"full_curvature": gram.new_empty(0)}
    assert point.eigenvalues is not None
    curved, size = images(point, gradients), point.problem.settings.batch_size
    curvature = float(images(point, point.hessian.gradient[None]))
    return {
        **_estimate("gni", noise.gradient_noise_interaction(curved.diagonal(), full_sq)),
        "full_curvature": curved.diagonal(),
        "interaction_sharpness": noise.ratio_of_means(curved.diagonal(), gram.diagonal()[:j]).value,
        "directional_sharpness": curvature / (full_sq or math.nan),
        "curvature_noise_scale": noise.noise_scale(curved, size, curvature),
        "alignment": noise.noise_curvature_alignment(gram[:j, :j], curved, float(point.eigenvalues[0])),
    }


def _estimate(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_error": estimate.error}
