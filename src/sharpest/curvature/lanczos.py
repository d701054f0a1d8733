"""Leading eigenpairs of a symmetric operator by Lanczos with full reorthogonalisation.

Letters: p dimension, k wanted eigenpairs, j basis vectors so far.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from torch import Tensor


@dataclass(frozen=True)
class Eigenpairs:
    """The k eigenpairs of largest magnitude, signed, from the largest to the smallest eigenvalue.

    Attributes:
        eigenvalues: (k,) float64.
        eigenvectors: (k, p), unit rows, in the dtype of the operator.
        residuals: (k,), |Hv - lambda v| / |lambda_1| with lambda_1 the largest in magnitude.
        converged: (k,), residual within the tolerance.
        num_products: Operator applications spent.
        seconds: Wall time.
    """

    eigenvalues: NDArray[np.float64]
    eigenvectors: Tensor
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]
    num_products: int
    seconds: float


def start_vector(rng: torch.Generator, dimension: int, previous: Tensor | None = None) -> Tensor:
    """A unit start vector, (p,): random, or leaning on the sum of a previous measurement's eigenvectors.

    The random part is never left out: a start inside an invariant subspace would hide a new leading direction.

    Args:
        rng: Draws the random part.
        dimension: p.
        previous: (p,), sum of the previous eigenvectors; None or zero starts cold.
    """
    random = torch.randn(dimension, generator=rng)
    random /= random.norm()
    if previous is None or not previous.any():
        return random
    random = random.to(previous)
    warm = previous / previous.norm() + 0.3 * random
    return warm / warm.norm()


class _Basis:
    """Orthonormal rows (j, p) in one growing block of memory."""

    def __init__(self, like: Tensor, rows: int) -> None:
        self._block = like.new_empty(rows, len(like))
        self._count = 0

    def append(self, vector: Tensor) -> None:
        if self._count == len(self._block):
            self._block = torch.cat([self._block, torch.empty_like(self._block)])
        self._block[self._count] = vector
        self._count += 1

    @property
    def rows(self) -> Tensor:
        return self._block[: self._count]

    def orthogonalise(self, vector: Tensor) -> Tensor:
        """``vector`` without its part in the basis; twice, since once loses digits."""
        rows = self.rows
        for _ in range(2):
            vector = vector - rows.T @ (rows @ vector)
        return vector


def largest_eigenpairs(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    num_eigenpairs: int,
    tolerance: float,
    max_products: int,
    rng: torch.Generator,
) -> Eigenpairs:
    """The eigenpairs of largest magnitude of a symmetric operator.

    Stops when the residual bounds of all wanted pairs are within the tolerance and no other Ritz value could still
    reach into the wanted set. A breakdown (the basis spans an invariant subspace) goes on with a fresh direction, so
    that repeated eigenvalues are found with their multiplicity.

    Args:
        product: v (p,) to H v (p,).
        start: (p,), not zero; gives dtype and device.
        num_eigenpairs: k; at most p.
        tolerance: Largest residual relative to |lambda_1|.
        max_products: Give up after so many, with what was found and honest flags.
        rng: Draws fresh directions after a breakdown.

    Returns:
        The pairs, with residuals, flags and cost.

    Raises:
        ValueError: If k is not within 1..p or max_products is below k.

    Source: Lanczos (1950), Paige's residual bound; the set is that of inventory 1.4.
    """
    dimension = len(start)
    if not 1 <= num_eigenpairs <= dimension:
        raise ValueError(f"num_eigenpairs {num_eigenpairs} must lie within 1..{dimension}, the dimension")
    if max_products < num_eigenpairs:
        raise ValueError(f"max_products {max_products} is below num_eigenpairs {num_eigenpairs}; raise it")
    began = time.perf_counter()
    basis = _Basis(start, min(dimension, 64))
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    vector = start / start.norm()
    limit = min(dimension, max_products)
    at_breakdown: NDArray[np.float64] | None = None  # the wanted values when the last invariant subspace was full
    while True:
        basis.append(vector)
        image = product(vector)
        diagonal.append(float(torch.dot(image, vector)))
        image = basis.orthogonalise(image)
        beta = float(image.norm())
        size = len(diagonal)
        if not np.isfinite(beta):
            break
        scale = max(max(map(abs, diagonal)), max(off_diagonal, default=0.0), np.finfo(np.float64).tiny)
        broke_down = beta <= 10 * torch.finfo(start.dtype).eps * scale
        if size >= num_eigenpairs:
            ritz, weights = eigh_tridiagonal(np.array(diagonal), np.array(off_diagonal))
            bounds = np.abs(weights[-1]) * beta
            if size == limit:
                break
            if broke_down:
                # exact, but a fresh direction may hold further copies: done once one more subspace brings nothing new
                leading = np.sort(np.abs(ritz))[-num_eigenpairs:]
                if at_breakdown is not None and np.allclose(
                    leading, at_breakdown, rtol=0, atol=tolerance * leading[-1]
                ):
                    break
                at_breakdown = leading
            elif _settled(ritz, bounds, num_eigenpairs, tolerance):
                break
        if broke_down:
            image = basis.orthogonalise(torch.randn(dimension, generator=rng).to(start))
            vector, beta = image / image.norm(), 0.0
        else:
            vector = image / beta
        off_diagonal.append(beta)

    seconds = time.perf_counter() - began
    if not np.isfinite(beta):
        nothing = np.full(num_eigenpairs, np.nan)
        return Eigenpairs(
            nothing, basis.rows.new_zeros(num_eigenpairs, dimension), nothing, np.isfinite(nothing), size, seconds
        )
    if size == dimension:
        bounds = np.zeros(size)  # the basis is the whole space
    wanted = np.argsort(-np.abs(ritz), kind="stable")[:num_eigenpairs]
    wanted = wanted[np.argsort(-ritz[wanted], kind="stable")]
    vectors = torch.from_numpy(weights[:, wanted].T.copy()).to(start) @ basis.rows
    residuals = bounds[wanted] / max(float(np.abs(ritz).max()), np.finfo(np.float64).tiny)
    return Eigenpairs(
        eigenvalues=ritz[wanted],
        eigenvectors=vectors / vectors.norm(dim=1, keepdim=True),
        residuals=residuals,
        converged=residuals <= tolerance,
        num_products=size,
        seconds=time.perf_counter() - began,
    )


def _settled(ritz: NDArray[np.float64], bounds: NDArray[np.float64], num_eigenpairs: int, tolerance: float) -> bool:
    """Whether the leading pairs are converged, and no other could turn out to lead them."""
    order = np.argsort(-np.abs(ritz))
    wanted, others = order[:num_eigenpairs], order[num_eigenpairs:]
    allowed = tolerance * np.abs(ritz[order[0]])
    reach = np.abs(ritz[others]) + bounds[others]
    return bool(np.all(bounds[wanted] <= allowed) and np.all(reach <= np.abs(ritz[wanted[-1]]) + allowed))
