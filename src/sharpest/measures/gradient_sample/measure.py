"""Mini-batch gradients and their curvature at one point."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from sharpest.curvature import gradient_noise as noise
from sharpest.curvature.stochastic import Estimate
from sharpest.measures.gradient_sample import Settings
from sharpest.measures.gradient_sample.sampling import images, products, sampled
from sharpest.measures.point import Point


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
