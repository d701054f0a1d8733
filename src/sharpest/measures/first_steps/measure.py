"""Losses and sharpness of the first steps of gradient descent from one point, over a grid of learning rates."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from sharpest.curvature.descent import Descent, descend, mean_gradient, thresholds
from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import Sharpness, largest_eigenvalue
from sharpest.measures.first_steps import MEASURE, Settings
from sharpest.measures.point import Point
from sharpest.trajectory.problem import chunks_of


def measure(point: Point, settings: Settings) -> dict[str, Any]:
    """A descent for each c, all from this point; each eigensolve starts from the eigenvector of the previous state.

    Source: Lewkowycz et al. (2020), arXiv 2003.02218; Kalra and Barkeshli (2023), arXiv 2302.12250.
    """
    loss, chunks = point.problem.model.loss, chunks_of(point.examples, point.settings.chunk_size)
    tolerance, most, rng = point.settings.tolerance, point.settings.max_products, point.random("first-steps")
    solves: list[Sharpness] = []

    def at(theta: Tensor, warm: Tensor | None) -> Sharpness:
        solves.append(largest_eigenvalue(Hessian(loss, theta, chunks), tolerance, most, rng, warm))
        return solves[-1]

    first = at(point.theta, None)
    largest = settings.divergence * mean_gradient(loss, chunks, point.theta)[0]
    factors = MEASURE.constants(settings)["factor"]
    descents: list[Descent] = []
    for lr in (factors / first.value).tolist():
        warm = [first.vector]

        def sharpness(theta: Tensor, warm: list[Tensor] = warm) -> float:
            if theta is point.theta:
                return first.value
            top = at(theta, warm[0])
            warm[0] = top.vector
            return top.value

        descents.append(
            descend(
                lambda theta: mean_gradient(loss, chunks, theta),
                sharpness,
                point.theta,
                lr,
                settings.num_steps,
                largest,
            )
        )
    losses, sharp = np.stack([d.losses for d in descents]), np.stack([d.sharpness for d in descents])
    critical = thresholds(factors, losses, sharp, largest, tolerance)
    return {
        "lambda_0": first.value,
        "loss": losses,
        "sharpness": sharp,
        "c_loss": critical.loss,
        "c_sharp": critical.sharpness,
        "c_max": critical.largest,
        "num_missed": sum(not solve.converged for solve in solves),
        "hvps": sum(solve.num_products for solve in solves),
    }
