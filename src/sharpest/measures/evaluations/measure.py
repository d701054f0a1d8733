"""Norms of the Hessian, test accuracy, training loss and distance travelled at one point (inventory 1.7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from sharpest.curvature.stochastic import frobenius_norm
from sharpest.data.randomness import generator
from sharpest.measures.evaluations import Settings
from sharpest.measures.point import Point


def measure(point: Point, settings: Settings) -> dict[str, Any]:
    """The values of the paper's tables at one end point.

    Raises:
        NotDeterministicError: If the loss takes different values at the same parameters.

    Source: inventory 1.7.
    """
    # without resampling, the Hessian examples are again the first ones, only more of them
    point = point.on(settings.examples)
    pairs = point.eigenpairs(settings.num_eigenpairs)
    probes = generator(point.seed, "probe")  # the same at both end points
    probed = frobenius_norm(point.hessian, settings.num_probes, probes)
    train = point.data.train.first(settings.loss_examples)
    correct = point.answers(point.data.test)
    return {
        "eigenvalues": pairs.eigenvalues,
        "residuals": pairs.residuals,
        "converged": pairs.converged,
        "spectral_norm": np.abs(pairs.eigenvalues).max(),
        "frobenius": np.linalg.norm(pairs.eigenvalues),
        "frobenius_probe": probed.value,
        "frobenius_probe_error": probed.error,
        "test_accuracy": int(correct.sum()) / len(correct),
        "test_correct": correct,
        "train_loss": point.evaluate(train)[0],
        "distance": float((point.theta - point.start).norm()),
    }
