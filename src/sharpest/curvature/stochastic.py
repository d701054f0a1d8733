"""Estimates with an error bar: trace and Frobenius norm from random probes, sampling error from halves of the examples.

Letters: p dimension, m products.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sharpest.curvature.hessian import Hessian

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error."""

    value: float
    error: float


def trace(product: Product, like: Tensor, num_products: int, rng: torch.Generator) -> Estimate:
    """Trace of a symmetric operator by Hutchinson++.

    A third of the products finds a subspace Q that holds its large eigenvalues, a third takes the trace within Q
    exactly, and the rest probes what is left, whose spread alone makes the error.

    Args:
        product: v (p,) to H v (p,).
        like: (p,), gives dtype and device.
        num_products: m, at least 4; with 3 p or more of them the estimate is exact.
        rng: Draws the probes.

    Raises:
        ValueError: If there are too few products for an error bar.

    Source: Meyer, Musco, Musco and Woodruff (2021).
    """
    basis, images, probes = _sketched(product, like, num_products, rng)
    inside = float((basis.double() * images.double()).sum())
    return _probed(inside, [float(probe.double() @ product(probe).double()) for probe in probes])


def frobenius_norm(product: Product, like: Tensor, num_products: int, rng: torch.Generator) -> Estimate:
    """Frobenius norm of a symmetric operator, the root of the trace of its square by Hutchinson++.

    Its arguments and errors are those of :func:`trace`.
    """
    _, images, probes = _sketched(product, like, num_products, rng)
    inside = float(images.double().square().sum())
    square = _probed(inside, [float(product(probe).double().square().sum()) for probe in probes])
    root = math.sqrt(square.value)
    return Estimate(root, square.error / (2 * root) if root else 0.0)


def sampling_error(hessian: Hessian, quantity: Callable[[Hessian], float]) -> float:
    """Standard error of a quantity of the Hessian, such as lambda_1, for its being taken on N examples only.

    Two disjoint halves of the examples give two independent values. Their difference has twice the standard deviation
    of the value at N, up to how a half differs from the whole (lambda_1 of fewer examples is larger on average, too).

    Args:
        hessian: On N examples, at least 2.
        quantity: For instance the largest eigenvalue of :func:`sharpest.curvature.lanczos.largest_eigenpairs`.

    Raises:
        ValueError: If there is one example only.
    """
    first, second = (quantity(half) for half in hessian.halves())
    return abs(first - second) / 2


def _sketched(
    product: Product, like: Tensor, num_products: int, rng: torch.Generator
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Orthonormal rows that lean on the large eigenvalues, their images, and probes orthogonal to the rows."""
    size = min(num_products // 3, len(like))
    num_probes = num_products - 2 * size
    if num_products < 4:
        raise ValueError(f"num_products {num_products} is too few for an estimate with an error; take 4 or more")
    images = torch.stack([product(_normal(like, rng)) for _ in range(size)])
    basis = torch.linalg.qr(images.T)[0].T
    # a second pass: columns of an operator of low rank are nearly dependent
    basis = torch.linalg.qr(basis.T)[0].T
    images = torch.stack([product(row) for row in basis])
    probes = [_normal(like, rng) for _ in range(num_probes)]
    return basis, images, [probe - basis.T @ (basis @ probe) for probe in probes]


def _normal(like: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(len(like), generator=rng).to(like)


def _probed(inside: float, samples: list[float]) -> Estimate:
    values = torch.tensor(samples, dtype=torch.float64)
    return Estimate(inside + float(values.mean()), float(values.std()) / math.sqrt(len(samples)))
