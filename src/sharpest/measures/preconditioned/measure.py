"""Leading eigenvalues of the preconditioned Hessian at one point."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from sharpest.curvature.preconditioned import Preconditioned, adam_preconditioner
from sharpest.measures.point import Point
from sharpest.measures.preconditioned import Settings
from sharpest.results.measured import FLOOR
from sharpest.trajectory.eigenpairs import solve_eigenpairs

_WARM = "sum of eigenvectors"


def measure(point: Point, settings: Settings) -> dict[str, Any]:
    """Leading eigenvalues of P^-1/2 H P^-1/2 with the P of the latest update; no values before the first update.

    The first solve of a segment starts cold, each later one from the eigenvectors of the previous solve.

    Raises:
        NotDeterministicError: If the loss takes different values at the same parameters.

    Source: Cohen et al. (2022), arXiv 2207.14484.
    """
    if point.state.updates == 0 or not bool(point.state.second_moment.isfinite().all()):
        return {"products": 0, "converged": np.zeros(min(settings.num_eigenpairs, point.num_parameters), dtype=bool)}
    run, (divisor, root) = point.problem.settings, _preconditioner(point)
    operator = Preconditioned(point.hessian, divisor)
    warm = point.carried.get(_WARM)
    pairs = solve_eigenpairs(point.problem, operator, point.iteration, point.settings, settings.num_eigenpairs, warm)
    point.carried[_WARM] = pairs.eigenvectors.sum(dim=0)
    floor = pairs.eigenvectors[0].double().square()[root < FLOOR * run.epsilon].sum()
    return {
        "preconditioned_sharpness": pairs.eigenvalues[0],
        "eigenvalues": pairs.eigenvalues,
        "residuals": pairs.residuals,
        "converged": pairs.converged,
        "products": pairs.num_products,
        "floor_share": floor,
    }


def _preconditioner(point: Point) -> tuple[Tensor, Tensor]:
    """P, and the root of v, (p,) each; v is bias-corrected for Adam. RMSProp has no correction and no first moment."""
    run, second, updates = point.problem.settings, point.state.second_moment.double(), point.state.updates
    if run.optimizer == "rmsprop":
        return second.sqrt() + run.epsilon, second.sqrt()
    root = (second / (1 - run.beta2**updates)).sqrt()
    return adam_preconditioner(second, updates, run.beta1, run.beta2, run.epsilon), root
