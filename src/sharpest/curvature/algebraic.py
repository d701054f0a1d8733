"""The largest algebraic eigenvalue of a Hessian; near initialisation it is not always the one of largest magnitude."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import largest_eigenpairs


@dataclass(frozen=True)
class Sharpness:
    """The largest algebraic eigenvalue lambda_max, with its eigenvector.

    Attributes:
        value: NaN if a product is not finite.
        vector: (p,), of unit length.
        converged: Whether the residual is within the tolerance and no larger eigenvalue is missing.
        num_products: Hessian-vector products spent.
    """

    value: float
    vector: Tensor
    converged: bool
    num_products: int


def largest_eigenvalue(
    hessian: Hessian, tolerance: float, max_products: int, rng: torch.Generator, warm: Tensor | None = None
) -> Sharpness:
    """The largest signed eigenvalue with its eigenvector.

    Args:
        hessian: The operator.
        tolerance: Largest residual relative to the largest magnitude.
        max_products: Limit.
        rng: Draws the random part of the start.
        warm: An eigenvector (p,) from a nearby point, or None.
    """
    hints = [hessian.gradient] if warm is None else [hessian.gradient, warm]
    pairs = largest_eigenpairs(hessian.product, hessian.theta, 1, tolerance, max_products, rng, hints, "largest")
    return Sharpness(float(pairs.eigenvalues[0]), pairs.eigenvectors[0], bool(pairs.converged[0]), pairs.num_products)
