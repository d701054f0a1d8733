"""The Hessian in the metric of an adaptive optimizer."""

from __future__ import annotations

from torch import Tensor

from sharpest.curvature.hessian import Hessian


class Preconditioned:
    """The operator P^-1/2 H P^-1/2 of a diagonal P: symmetric, with the eigenvalues of P^-1 H.

    Args:
        hessian: H.
        preconditioner: (p,), the diagonal of P, positive; converted to the dtype and device of the Hessian.

    Attributes:
        theta: (p,), the point at which H is taken.
        gradient: (p,), P^-1/2 g, the gradient in these coordinates.

    Raises:
        ValueError: If a value of P is not positive, or there are not p values.

    Source: Cohen et al. (2022), arXiv 2207.14484.

    >>> import torch
    >>> from sharpest.curvature import Hessian, Preconditioned, eigenpairs
    >>> steepness = torch.tensor([5.0, 3.0, 1.0])
    >>> def loss(theta, inputs, targets):
    ...     return (steepness * theta.square()).sum() / 2
    >>> hessian = Hessian(loss, torch.ones(3), [(torch.zeros(1), torch.zeros(1))])
    >>> adaptive = Preconditioned(hessian, torch.tensor([1.0, 0.1, 0.01]))
    >>> eigenpairs(adaptive, k=2).eigenvalues.round(2).tolist()
    [100.0, 30.0]
    """

    def __init__(self, hessian: Hessian, preconditioner: Tensor) -> None:
        if preconditioner.shape != hessian.theta.shape or not bool((preconditioner > 0).all()):
            raise ValueError(
                f"preconditioner has shape {tuple(preconditioner.shape)} and smallest value "
                f"{float(preconditioner.min()):.3g}; give {len(hessian.theta)} positive values"
            )
        self._hessian = hessian
        self._scale = preconditioner.double().rsqrt().to(hessian.theta)
        self.theta = hessian.theta
        self.gradient = self._scale * hessian.gradient

    def product(self, vector: Tensor) -> Tensor:
        """The product P^-1/2 H P^-1/2 v, (p,)."""
        return self._scale * self._hessian.product(self._scale * vector)


def adam_preconditioner(second_moment: Tensor, updates: int, beta1: float, beta2: float, epsilon: float) -> Tensor:
    """Adam's P after t updates, (1 - b1^t) (sqrt(v / (1 - b2^t)) + eps), with which the step is eta m / P.

    Args:
        second_moment: (p,), v.
        updates: t, at least 1: before the first update there is no second moment.
        beta1, beta2: Decay rates of the moments.
        epsilon: eps.

    Returns:
        (p,), in the unit of the gradient.

    Raises:
        ValueError: If updates is below 1.

    Source: Cohen et al. (2022), arXiv 2207.14484.

    >>> import torch
    >>> from sharpest.curvature import adam_preconditioner
    >>> adam_preconditioner(torch.tensor([0.001, 0.004]), 1, beta1=0.9, beta2=0.999, epsilon=0.0)
    tensor([0.1000, 0.2000])
    """
    if updates < 1:
        raise ValueError(f"updates {updates} should be at least 1: before the first update there is no second moment")
    return (1 - beta1**updates) * ((second_moment / (1 - beta2**updates)).sqrt() + epsilon)
