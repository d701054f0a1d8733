"""Estimates with error bars: trace and Frobenius norm from random probes, sampling error from halves of the examples.

Letters: p dimension, m products.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.stats import t as student_t
from torch import Tensor

from sharpest.curvature.hessian import Hessian
from sharpest.curvature.operators import Operator, Seed, generator_of


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error; two errors on either side cover the truth in about 95 of 100 draws.

    >>> from sharpest.curvature import Estimate
    >>> print(Estimate(12.345678, 0.25))
    12.3457 +- 0.25
    """

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.6g} +- {self.error:.2g}"


def trace(hessian: Operator, num_products: int = 30, seed: Seed = 0) -> Estimate:
    """Trace of a symmetric operator by Hutchinson++.

    A third of the products finds a subspace Q that holds the large eigenvalues, a third computes the trace within Q
    exactly, and the rest probes the remainder A. Its squared Frobenius norm, whose mean the images of the probes give,
    determines the error: the variance of z'A z is 2 |A|^2. With few probes this is surer than their own spread.

    Args:
        hessian: Operator on vectors of p values.
        num_products: m, at least 4; with 3 p or more the estimate is exact.
        seed: Seed of the probes.

    Raises:
        ValueError: If there are too few products for an error bar.

    Source: Meyer, Musco, Musco and Woodruff (2021).

    >>> import torch
    >>> from sharpest.curvature import Hessian, trace
    >>> steepness = torch.tensor([5.0, 3.0, 1.0, -4.0])
    >>> def loss(theta, inputs, targets):
    ...     return (steepness * theta.square()).sum() / 2
    >>> hessian = Hessian(loss, torch.ones(4), [(torch.zeros(1), torch.zeros(1))])
    >>> estimate = trace(hessian)
    >>> round(estimate.value, 3), estimate.error < 1e-3
    (5.0, True)
    """
    basis, images, probes = _sketched(hessian, num_products, generator_of(seed))
    inside = float((basis.double() * images.double()).sum())
    probed, squares = [], []
    for probe in probes:
        image = hessian.product(probe).double()
        probed.append(float(probe.double() @ image))
        squares.append(float((image - basis.T.double() @ (basis.double() @ image)).square().sum()))
    return _probed(inside, probed, statistics.fmean(squares))


def frobenius_norm(hessian: Operator, num_products: int = 30, seed: Seed = 0) -> Estimate:
    """Frobenius norm of a symmetric operator: the square root of the trace of its square, by Hutchinson++.

    The error is a bound: the squared Frobenius norm of the remainder of the square is at most its squared trace.
    Arguments are those of ``trace``.

    >>> import torch
    >>> from sharpest.curvature import Hessian, frobenius_norm
    >>> steepness = torch.tensor([2.0, -2.0, 1.0])
    >>> def loss(theta, inputs, targets):
    ...     return (steepness * theta.square()).sum() / 2
    >>> hessian = Hessian(loss, torch.ones(3), [(torch.zeros(1), torch.zeros(1))])
    >>> round(frobenius_norm(hessian).value, 3)
    3.0
    """
    _, images, probes = _sketched(hessian, num_products, generator_of(seed))
    inside = float(images.double().square().sum())
    squares = [float(hessian.product(probe).double().square().sum()) for probe in probes]
    square = _probed(inside, squares, statistics.fmean(squares) ** 2)
    root = math.sqrt(square.value)
    return Estimate(root, square.error / (2 * root) if root else 0.0)


def sampling_error(hessian: Hessian, quantity: Callable[[Hessian], float]) -> float:
    """Standard error of a quantity of the Hessian, such as lambda_1, due to its finite sample of N examples.

    Two disjoint halves of the examples give two independent values. Their difference has twice the standard deviation
    of the value at N, as far as a half behaves like the whole (lambda_1 of fewer examples is also larger on average).

    Args:
        hessian: Hessian on N examples, at least 2.
        quantity: Maps a Hessian to the quantity, such as the largest eigenvalue below.

    Raises:
        ValueError: If there is only one example.

    >>> import torch
    >>> from sharpest.curvature import Hessian, eigenpairs, sampling_error
    >>> net = torch.nn.Linear(1, 1, bias=False)
    >>> batches = [(torch.tensor([[1.0], [1.0], [2.0], [2.0]]), torch.zeros(4, 1))]
    >>> hessian = Hessian.of(net, torch.nn.functional.mse_loss, batches)  # 2 and 8 on the halves
    >>> round(sampling_error(hessian, lambda half: float(eigenpairs(half, k=1).eigenvalues[0])), 4)
    3.0
    """
    first, second = (quantity(half) for half in hessian.halves())
    return abs(first - second) / 2


def _sketched(hessian: Operator, num_products: int, rng: torch.Generator) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Orthonormal rows biased towards the large eigenvalues, their images, and probes orthogonal to the rows."""
    theta = hessian.theta
    size = min(num_products // 3, len(theta))
    num_probes = num_products - 2 * size
    if num_products < 4:
        raise ValueError(f"num_products {num_products} is too few for an estimate with an error; take 4 or more")
    images = torch.stack([hessian.product(_normal(theta, rng)) for _ in range(size)])
    basis = torch.linalg.qr(images.T)[0].T
    # a second pass: images under an operator of low rank are nearly dependent
    basis = torch.linalg.qr(basis.T)[0].T
    images = torch.stack([hessian.product(row) for row in basis])
    probes = [_normal(theta, rng) for _ in range(num_probes)]
    return basis, images, [probe - basis.T @ (basis @ probe) for probe in probes]


def _normal(like: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(len(like), generator=rng).to(like)


def _probed(inside: float, samples: list[float], square: float) -> Estimate:
    """The sum of a part known exactly and the mean of z'A z over normal probes z.

    Args:
        inside: The part known exactly.
        samples: z'A z of each probe.
        square: Squared Frobenius norm of A, or a bound on it.
    """
    count = len(samples)
    error = math.sqrt(2 * square / count) * float(student_t.ppf(0.975, count - 1)) / 2
    return Estimate(inside + statistics.fmean(samples), error)
