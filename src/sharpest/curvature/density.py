"""Density of all eigenvalues of a symmetric operator, by stochastic Lanczos quadrature.

Letters: p dimension, n probes, m Lanczos steps, g grid points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.curvature.operators import Operator, Seed, generator_of
from sharpest.curvature.quadrature import grid_over, smeared, sum_of
from sharpest.curvature.stochastic import Estimate
from sharpest.curvature.subspace import Subspace

_ROUNDING = 100  # times eps, relative to the operator: a shorter remainder is rounding


@dataclass(frozen=True)
class SpectralDensity:
    """Quadrature rules of random probes, and the density computed from them; all NaN if a product is not finite.

    Attributes:
        nodes: (n, m) float64, ascending, in the unit of the operator. If the Krylov space of a probe is exhausted
            before m steps, its last node is repeated with weight 0.
        weights: (n, m) float64; each row sums to 1.
        dimension: p.
        num_products: Operator applications spent.
        grid: (g,), evenly spaced, reaching seven widths beyond all nodes.
        width: Standard deviation of the Gaussian that smears each node, in the unit of the operator.
        density: (g,), per unit of the operator: the mean over the cell around each grid point; integrates to 1.

    >>> import torch
    >>> from sharpest.curvature import Hessian, spectral_density
    >>> steepness = torch.tensor([5.0, 3.0, 1.0, -4.0])
    >>> def loss(theta, inputs, targets):
    ...     return (steepness * theta.square()).sum() / 2
    >>> hessian = Hessian(loss, torch.ones(4), [(torch.zeros(1), torch.zeros(1))])
    >>> density = spectral_density(hessian, num_probes=4)  # as many as eigenvalues: exact
    >>> round(density.trace.value, 4), round(density.frobenius_sq.value, 4)
    (5.0, 51.0)
    """

    nodes: NDArray[np.float64]
    weights: NDArray[np.float64]
    dimension: int
    num_products: int
    grid: NDArray[np.float64]
    width: float
    density: NDArray[np.float64]

    @property
    def trace(self) -> Estimate:
        """Sum of the eigenvalues; the quadrature of each probe is exact for it."""
        return Estimate(*sum_of(self.nodes, self.weights, self.dimension))

    @property
    def frobenius_sq(self) -> Estimate:
        """Sum of the squared eigenvalues."""
        return Estimate(*sum_of(self.nodes**2, self.weights, self.dimension))


def spectral_density(
    hessian: Operator,
    num_probes: int = 8,
    num_steps: int = 64,
    grid_points: int = 1000,
    relative_width: float = 2e-3,
    seed: Seed = 0,
) -> SpectralDensity:
    """Density of the eigenvalues of a symmetric operator.

    A Lanczos run of m steps from a random unit vector v gives a quadrature rule for v.f(H)v: the nodes are the Ritz
    values, the weights the squared first entries of their vectors. The rule is exact for polynomials up to degree
    2m - 1, and for any f once the Krylov space is exhausted. Its mean over uniformly distributed directions is
    tr f(H) / p. The probes are orthogonal to each other, which lowers the spread; p probes give the exact spectrum.

    Args:
        hessian: Operator on vectors of p values.
        num_probes: n, at least 2; reduced to p if that is smaller.
        num_steps: m, products per probe, at least 3; fewer if the Krylov space is exhausted. m vectors of p values
            are held at once.
        grid_points: g, at least 2.
        relative_width: Width of the Gaussian that smears each node, relative to the distance of the outermost nodes.
        seed: Seed of the probes.

    Raises:
        ValueError: If there are too few probes, steps or grid points, or the width is not above 0.

    Source: Ghorbani, Krishnan and Xiao (2019), Sec. 2; Lin, Saad and Yang (2016), Sec. 3.2.

    >>> import torch
    >>> from sharpest.curvature import Hessian, spectral_density
    >>> net = torch.nn.Linear(3, 1)
    >>> hessian = Hessian.of(net, torch.nn.functional.mse_loss, [(torch.eye(3), torch.zeros(3, 1))])
    >>> spectral_density(hessian, num_probes=2, num_steps=3).nodes.shape
    (2, 3)
    """
    _check(num_probes, num_steps, grid_points, relative_width)
    theta = hessian.theta
    dimension = len(theta)
    num_steps = min(num_steps, dimension)
    rules = [
        _rule(hessian.product, probe.to(theta), num_steps)
        for probe in _orthogonal(min(num_probes, dimension), dimension, theta.dtype, generator_of(seed))
    ]
    nodes, weights = (np.stack([rule[place] for rule in rules]) for place in (0, 1))
    # a multiple of the identity has no spread
    width = relative_width * (float(np.ptp(nodes)) or float(np.abs(nodes).max()) or 1.0)
    grid = grid_over(nodes, width, grid_points)
    density = smeared(nodes, weights, width, grid)
    return SpectralDensity(nodes, weights, dimension, sum(rule[2] for rule in rules), grid, width, density)


def _check(num_probes: int, num_steps: int, grid_points: int, relative_width: float) -> None:
    for name, value, least, why in (
        ("num_probes", num_probes, 2, "for an error"),
        ("num_steps", num_steps, 3, "for the error of the Frobenius norm"),
        ("grid_points", grid_points, 2, "for a grid"),
    ):
        if value < least:
            raise ValueError(f"{name} {value} is too few {why}; take {least} or more")
    if not relative_width > 0:
        raise ValueError(f"relative_width {relative_width} should be above 0")


def _orthogonal(count: int, dimension: int, dtype: torch.dtype, rng: torch.Generator) -> Tensor:
    """Orthonormal rows (n, p), each uniformly distributed in direction, on the CPU."""
    return torch.linalg.qr(torch.randn(dimension, count, generator=rng).to(dtype))[0].T


def _rule(
    product: Callable[[Tensor], Tensor], probe: Tensor, num_steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Nodes and weights (m,) of one probe, and the number of products spent."""
    space = Subspace(probe, num_steps)
    space.extend(probe, product)
    while space.size < num_steps and space.remainders[-1].length > _floor(space, probe.dtype):
        space.extend(space.remainders[-1], product)
    if not np.isfinite(space.remainders[-1].length):
        return np.full(num_steps, np.nan), np.full(num_steps, np.nan), space.size
    values, vectors = (part.numpy() for part in torch.linalg.eigh(torch.from_numpy(space.projected)))
    padding = num_steps - space.size
    return np.pad(values, (0, padding), mode="edge"), np.pad(vectors[0] ** 2, (0, padding)), space.size


def _floor(space: Subspace, dtype: torch.dtype) -> float:
    """The length below which a remainder is rounding: its row would be neither new nor orthogonal to the others."""
    return _ROUNDING * torch.finfo(dtype).eps * float(np.abs(space.projected).max())
