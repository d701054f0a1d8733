"""Gradients, scaled steps and loss profiles along the eigenvectors at one point (Figs. 5 and 6).

Letters: m gradients, d directions, a alphas, g grid points, p parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.measures.directions import Settings
from sharpest.measures.directions.alignment import absolute_cosines, projections
from sharpest.measures.directions.line import LossLine, loss_profile
from sharpest.measures.point import Point

FULL_STEP = 0
RANDOM = -1


def measure(point: Point, settings: Settings) -> dict[str, Any]:
    """Projections and alignment; alpha study and profiles if the settings request them.

    Every alpha uses the same gradients, so that only the length of the step differs.

    Source: Figs. 5 and 6; inventory, Figures 5 and 6.
    """
    gradients = point.gradients(settings.num_gradients)
    norms = gradients.norm(dim=1).double()
    units = torch.stack([_unit(point, index, gradients) for index in settings.indices])
    projection = projections(gradients, units)
    if FULL_STEP in settings.indices:
        # each gradient is projected on its own direction
        projection[:, settings.indices.index(FULL_STEP)] = norms
    steps = point.lr * projection.cpu().numpy()
    lengths = np.abs(steps).mean(axis=0)
    values = {
        "projection": projection,
        "gradient_norm": norms,
        "cosine": absolute_cosines(projection, norms).mean(dim=0),
        "step_length": lengths,
    }
    return values | _losses(point, settings, gradients, units, steps, lengths) if settings.grid else values


def _losses(
    point: Point,
    settings: Settings,
    gradients: Tensor,
    units: Tensor,
    steps: NDArray[np.float64],
    lengths: NDArray[np.float64],
) -> dict[str, Any]:
    """The loss at the point, its profile along each direction (d, g), its changes by scaled steps, their errors (d, a).

    Args:
        gradients: (m, p).
        units: (d, p).
        steps: (m, d), eta <g_m, e_i>.
        lengths: (d,), their mean magnitudes.
    """

    def loss(theta: Tensor) -> float:
        with torch.no_grad():
            return float(point.clean_loss(theta, settings.loss_examples))

    start = loss(point.theta)
    profiles = np.full((len(settings.indices), len(settings.grid)), np.nan)
    changes, errors = np.full((2, len(settings.indices), len(settings.alphas)), np.nan)
    studied = point.place % settings.alpha_every == 0
    for row, index in enumerate(settings.indices):
        if not np.isfinite(lengths[row]):
            continue  # gradients overflow before a run diverges, which leaves no step to measure
        distances = np.array(settings.grid) * lengths[row]
        profiles[row] = loss_profile(loss, point.theta, units[row], distances.tolist(), start)
        if not studied:
            continue
        if index == FULL_STEP:
            alphas = list(settings.alphas)
            losses = [loss_profile(loss, point.theta, -point.lr * gradient, alphas) for gradient in gradients]
            changes[row], errors[row] = np.mean(losses, axis=0) - start, 0
        else:
            line = LossLine(loss, point.theta, units[row], distances, profiles[row].copy())
            changes[row], errors[row] = line.mean_changes(-np.outer(settings.alphas, steps[:, row]))
    return {"loss": start, "profile": profiles, "loss_change": changes, "loss_change_error": errors}


def _unit(point: Point, index: int, gradients: Tensor) -> Tensor:
    """The unit vector (p,) of a direction; for the full step, of the mean gradient."""
    if index == FULL_STEP:
        mean = gradients.mean(dim=0)
        return mean / mean.norm().clamp(min=torch.finfo(mean.dtype).tiny)
    if index == RANDOM:
        random = torch.randn(point.num_parameters, generator=point.random("random-direction")).to(point.theta)
        return random / random.norm()
    assert point.eigenvectors is not None  # the measure needs spectra with vectors
    return point.eigenvectors[index - 1]
