"""Mini-batch gradients and their curvature at one point.

Letters: m batches, j of them, k eigenvectors, p parameters.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from sharpest.curvature import gradient_noise as noise
from sharpest.curvature.batches import batch_curvature
from sharpest.curvature.stochastic import Estimate
from sharpest.measures.gradient_sample import Settings
from sharpest.measures.point import Point


def measure(point: Point, settings: Settings) -> dict[str, Any]:
    """Batch sharpness, noise scales and gradient covariance, from batches that ``directions`` would draw as well.

    All is that of the loss in inference mode, like the Hessian of ``spectra``: with running averages where the net has
    batch normalisation, and without dropout. Of a full-batch run all batches are the one of its updates.
    """
    assert point.eigenvectors is not None  # the measure needs spectra with vectors
    full, vectors = point.hessian.gradient[None], point.eigenvectors[: settings.num_directions]
    gradients, curvature = _sampled(point, settings.num_batches)
    gram, full_sq = noise.gram(gradients), noise.gram(full)[0]
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


def _sampled(point: Point, num_batches: int) -> tuple[Tensor, Tensor]:
    """Gradients (m, p), and their curvature on their own batches (m,) float64."""
    problem, full = point.problem, point.hessian.gradient
    if problem.settings.full_batch:  # its Hessian examples are that batch
        curvature = noise.gram(full[None], point.hessian.product(full)[None])[0]
        return full.expand(num_batches, -1), curvature.expand(num_batches)
    draws = (
        point.data.stream.sample(f"gradient-{m}", point.iteration, problem.settings.batch_size)
        for m in range(num_batches)
    )
    batches = ((batch.inputs, batch.targets) for batch in draws)
    return batch_curvature(problem.model.loss, point.theta, batches, point.settings.chunk_size)


def _by_full_hessian(point: Point, gradients: Tensor, gram: Tensor, full_sq: float) -> dict[str, Any]:
    """What takes products of the full Hessian with gradients (j, p): nothing for none."""
    if (j := len(gradients)) == 0:
        return {"full_curvature": gram.new_empty(0)}
    assert point.eigenvalues is not None
    run, hessian = point.problem.settings, point.hessian
    different = gradients[:1] if run.full_batch else gradients
    columns = [noise.gram(different, hessian.product(gradient)[None]) for gradient in different]
    images = torch.cat(columns, dim=1).expand(j, j)
    curvature = float(noise.gram(hessian.gradient[None], hessian.product(hessian.gradient)[None]))
    return {
        **_estimate("gni", noise.gradient_noise_interaction(images.diagonal(), full_sq)),
        "full_curvature": images.diagonal(),
        "interaction_sharpness": noise.ratio_of_means(images.diagonal(), gram.diagonal()[:j]).value,
        "directional_sharpness": curvature / (full_sq or math.nan),
        "curvature_noise_scale": noise.noise_scale(images, run.batch_size, curvature),
        "alignment": noise.noise_curvature_alignment(gram[:j, :j], images, float(point.eigenvalues[0])),
    }


def _estimate(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_error": estimate.error}
