"""Leading eigenpairs of a symmetric operator by Lanczos with full reorthogonalisation.

Letters: p dimension, k wanted eigenpairs, j basis vectors so far.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_PIECE = 65_536  # parameters summed at once


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


def _length(vector: Tensor) -> float:
    return float(torch.linalg.vector_norm(vector, dtype=torch.float64))


class _Subspace:
    """Orthonormal rows (j, p), the operator within their span, and what its images of them have outside.

    Attributes:
        projected: (j, j), the operator within the span.
        remainders: Row to (p,), the part of its image outside the span; none where the next row took it up.
        norms: Row to the length of its remainder.
    """

    def __init__(self, like: Tensor, capacity: int) -> None:
        self._block = like.new_empty(capacity, len(like))
        self.size = 0
        self.projected = np.zeros((0, 0))
        self.remainders: dict[int, Tensor] = {}
        self.norms: dict[int, float] = {}

    @property
    def rows(self) -> Tensor:
        return self._block[: self.size]

    def inside(self, vector: Tensor) -> Tensor:
        """Coefficients of the part within the span, (j,) float64."""
        total = torch.zeros(self.size, dtype=torch.float64, device=vector.device)
        # float32 sums over p would cost an eigenvalue its fifth digit; pieces, as a float64 copy of all rows is large
        for rows, piece in zip(self.rows.split(_PIECE, dim=1), vector.split(_PIECE), strict=True):
            total += rows.double() @ piece.double()
        return total

    def outside(self, vector: Tensor) -> Tensor:
        """The part outside the span; where little is left, a second pass brings back the digits lost."""
        return vector - self.rows.T @ self.inside(vector).to(vector)

    def extend(self, vector: Tensor, product: Callable[[Tensor], Tensor]) -> None:
        """Append a vector orthogonal to the rows, in unit length."""
        if self.size == len(self._block):
            self._block = torch.cat([self._block, torch.empty_like(self._block)])
        self._block[self.size] = vector / _length(vector)
        self.size += 1
        image = product(self.rows[-1])
        inside = self.inside(image)
        self.projected = np.pad(self.projected, (0, 1))
        self.projected[-1] = self.projected[:, -1] = inside.cpu().numpy()
        self.remainders[self.size - 1] = image - self.rows.T @ inside.to(image)
        remainders = {row: self.outside(remainder) for row, remainder in self.remainders.items()}
        norms = {row: _length(remainder) for row, remainder in remainders.items()}
        self.norms = {row: norm for row, norm in norms.items() if norm != 0}
        self.remainders = {row: remainders[row] for row in self.norms}


def largest_eigenpairs(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    num_eigenpairs: int,
    tolerance: float,
    max_products: int,
    rng: torch.Generator,
) -> Eigenpairs:
    """The eigenpairs of largest magnitude of a symmetric operator.

    Goes on until the residuals of all wanted pairs are within the tolerance and no other Ritz value could still reach
    into the wanted set. When the start is exhausted before that (its Krylov space is invariant, to the tolerance),
    random directions orthogonal to all that was seen look for more, until one brings nothing new: a larger eigenvalue
    outside, or further copies of a repeated one. A start that is not exhausted shows each eigenvalue once.

    Args:
        product: v (p,) to H v (p,).
        start: (p,), not zero; gives dtype and device.
        num_eigenpairs: k; at most p.
        tolerance: Largest residual relative to |lambda_1|.
        max_products: Give up after so many, with what was found and honest flags.
        rng: Draws the random directions.

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
    space = _Subspace(start, min(dimension, 64))
    betas: list[float] = []  # the remainder of each row when it was new
    exhausted = False
    first = 0  # row of the latest start
    known: NDArray[np.float64] | None = None  # wanted magnitudes before it, where it looks for more
    vector = start
    while True:
        space.extend(vector, product)
        size, newest = space.size, space.size - 1
        betas.append(space.norms.get(newest, 0.0))
        if not np.isfinite(betas[-1]):
            break
        ritz, weights = (array.numpy() for array in torch.linalg.eigh(torch.from_numpy(space.projected)))
        bounds = sum((norm * np.abs(weights[row]) for row, norm in space.norms.items()), np.zeros(size))
        if size == min(dimension, max_products):
            break
        leading = np.sort(np.abs(ritz))[-num_eigenpairs:]
        allowed = tolerance * leading[-1]
        exhausted = exhausted or betas[-1] <= allowed
        pair = _unsettled(ritz, bounds, num_eigenpairs, allowed)
        if pair is not None:
            row = max(space.norms, key=lambda row: space.norms[row] * abs(weights[row, pair]))
            vector = space.remainders.pop(row)
            if row != newest:  # an earlier start goes on, which ends the latest one
                known = None
        elif size >= num_eigenpairs and not exhausted:
            break
        elif known is None or not np.allclose(leading, known, rtol=0, atol=allowed):
            known = leading if size >= num_eigenpairs else None
            vector = space.outside(space.outside(torch.randn(dimension, generator=rng).to(start)))
            first = size
        elif newest in space.norms and not _would_have_shown(
            space.projected[first:, first:], betas[first:], leading[0] + allowed, dimension
        ):
            vector = space.remainders.pop(newest)
        else:
            break
    seconds = time.perf_counter() - began
    if not np.isfinite(betas[-1]):
        nothing = np.full(num_eigenpairs, np.nan)
        return Eigenpairs(
            nothing, start.new_zeros(num_eigenpairs, dimension), nothing, np.isfinite(nothing), size, seconds
        )
    wanted = np.argsort(-np.abs(ritz), kind="stable")[:num_eigenpairs]
    wanted = wanted[np.argsort(-ritz[wanted], kind="stable")]
    vectors = torch.from_numpy(weights[:, wanted].T.copy()).to(start) @ space.rows
    residuals = bounds[wanted] / max(float(np.abs(ritz).max()), np.finfo(np.float64).tiny)
    return Eigenpairs(
        eigenvalues=ritz[wanted],
        eigenvectors=torch.stack([vector / _length(vector) for vector in vectors]),
        residuals=residuals,
        converged=residuals <= tolerance,
        num_products=size,
        seconds=time.perf_counter() - began,
    )


def _unsettled(
    ritz: NDArray[np.float64], bounds: NDArray[np.float64], num_eigenpairs: int, allowed: float
) -> int | None:
    """The first of the wanted pairs that is not converged, or else the first other that could turn out to be wanted."""
    order = np.argsort(-np.abs(ritz))
    wanted, others = order[:num_eigenpairs], order[num_eigenpairs:]
    reach = np.abs(ritz[others]) + bounds[others]
    far = [*wanted[bounds[wanted] > allowed], *others[reach > np.abs(ritz[wanted[-1]]) + allowed]]
    return int(far[0]) if far else None


def _would_have_shown(block: NDArray[np.float64], betas: list[float], magnitude: float, dimension: int) -> bool:
    """Whether a random start would have betrayed an unseen eigenvalue of at least a magnitude by now.

    A unit eigenvector u has |<start, u>| <= prod(beta) / |det(T - lambda I)|, and fewer than one random start in a
    hundred holds less than 0.01 / sqrt(p) of a given direction.

    Args:
        block: T (m, m), the operator in the rows since that start.
        betas: (m,), the remainder of each of them when it was new.
        magnitude: Above the magnitude of every eigenvalue of T.
        dimension: p.
    """
    edge = magnitude * np.eye(len(block))
    determinant = min(np.linalg.slogdet(block - edge).logabsdet, np.linalg.slogdet(block + edge).logabsdet)
    return bool(np.log(betas).sum() - determinant <= np.log(0.01 / np.sqrt(dimension)))
