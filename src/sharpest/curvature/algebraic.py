"""The largest algebraic eigenvalue of a Hessian; near initialisation it is not always the one of largest magnitude."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import Eigenpairs, largest_eigenpairs


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

    If the eigenvalue of largest magnitude is negative, a second search shifts the Hessian by it: the shifted operator
    has no negative eigenvalues, and its largest one belongs to lambda_max.

    Args:
        hessian: The operator.
        tolerance: Largest residual relative to the largest magnitude (of the shifted operator, if there is one).
        max_products: Limit for each search.
        rng: Draws the random part of the start.
        warm: An eigenvector (p,) from a nearby point, or None.
    """

    def search(shift: float) -> Eigenpairs:
        hints = [hessian.gradient] if warm is None else [hessian.gradient, warm]

        def product(vector: Tensor) -> Tensor:
            return hessian.product(vector) - shift * vector if shift else hessian.product(vector)

        return largest_eigenpairs(product, hessian.theta, 1, tolerance, max_products, rng, hints)

    pairs, shift, spent = search(0.0), 0.0, 0
    if pairs.eigenvalues[0] < 0:
        shift, spent = float(pairs.eigenvalues[0]), pairs.num_products
        pairs = search(shift)
    value = float(pairs.eigenvalues[0]) + shift
    return Sharpness(value, pairs.eigenvectors[0], bool(pairs.converged[0]), spent + pairs.num_products)
