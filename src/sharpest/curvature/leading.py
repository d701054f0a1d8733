"""Leading eigenpairs of a Hessian, with default settings."""

from __future__ import annotations

from torch import Tensor

from sharpest.curvature.lanczos import Eigenpairs, Which, largest_eigenpairs
from sharpest.curvature.operators import Operator, Seed, generator_of
from sharpest.curvature.sizes import basis_size


def eigenpairs(
    hessian: Operator,
    k: int = 5,
    tolerance: float = 1e-3,
    seed: Seed = 0,
    max_products: int | None = None,
    warm: Tensor | Eigenpairs | None = None,
    which: Which = "magnitude",
) -> Eigenpairs:
    """The k eigenpairs of largest magnitude, or at one end of the spectrum.

    The search starts from a random vector, biased towards the gradient, if the operator has one, and towards the
    eigenvectors of a nearby measurement. Both save products; neither determines the result.

    Args:
        hessian: Symmetric operator on vectors of p values.
        k: At most p.
        tolerance: Largest |Hv - lambda v| relative to the largest |lambda|.
        seed: Seed of the random vectors.
        max_products: Stop after this many, and return the current, flagged pairs; by default 640, or 60 k if more.
        warm: Earlier eigenpairs, or a vector (p,) such as the sum of their eigenvectors.
        which: "magnitude", "largest" for the largest signed eigenvalues, or "smallest".

    Returns:
        The pairs, the largest signed eigenvalue first; all NaN if the loss is not finite.

    Raises:
        ValueError: If k is not within 1..p, max_products is below k, which is unknown, or warm has another length.

    Source: see ``sharpest.curvature.lanczos.largest_eigenpairs``.

    >>> import torch
    >>> from sharpest.curvature import Hessian, eigenpairs
    >>> steepness = torch.tensor([5.0, 3.0, 1.0, -4.0])
    >>> def loss(theta, inputs, targets):
    ...     return (steepness * theta.square()).sum() / 2
    >>> hessian = Hessian(loss, torch.ones(4), [(torch.zeros(1), torch.zeros(1))])
    >>> pairs = eigenpairs(hessian, k=3)
    >>> pairs.eigenvalues.round(3).tolist(), bool(pairs.converged.all())
    ([5.0, 3.0, -4.0], True)
    >>> again = eigenpairs(hessian, k=3, warm=pairs)
    >>> eigenpairs(hessian, k=1, which="smallest").eigenvalues.round(3).tolist()
    [-4.0]
    """
    theta, rng = hessian.theta, generator_of(seed)
    if not 1 <= k <= len(theta):
        raise ValueError(f"k {k} must lie within 1..{len(theta)}, the number of parameters")
    limit = 20 * basis_size(k) if max_products is None else max_products
    return largest_eigenpairs(hessian.product, theta, k, tolerance, limit, rng, _hints(hessian, warm), which)


def _hints(hessian: Operator, warm: Tensor | Eigenpairs | None) -> list[Tensor]:
    """Vectors (p,) that overlap with the leading eigenvectors: the gradient, if there is one, and earlier ones."""
    theta = hessian.theta
    hints = [getattr(hessian, "gradient", None), None if warm is None else _direction(warm, len(theta)).to(theta)]
    return [hint for hint in hints if hint is not None]


def _direction(warm: Tensor | Eigenpairs, num_parameters: int) -> Tensor:
    """One vector (p,) that combines the earlier eigenvectors."""
    direction = warm.eigenvectors.sum(dim=0) if isinstance(warm, Eigenpairs) else warm
    if direction.shape != (num_parameters,):
        raise ValueError(
            f"warm has shape {tuple(direction.shape)}, but the Hessian has {num_parameters} parameters; "
            "give earlier eigenpairs of the same parameters, or the sum of their vectors"
        )
    return direction
