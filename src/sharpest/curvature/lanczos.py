"""Leading eigenpairs of a symmetric operator, by Lanczos iteration with full reorthogonalisation.

Letters: p dimension, k wanted eigenpairs, j basis vectors so far.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.curvature.sizes import basis_size
from sharpest.curvature.subspace import Remainder, Subspace, length


@dataclass(frozen=True)
class Eigenpairs:
    """The k eigenpairs of largest magnitude, in descending order of the signed eigenvalue.

    Attributes:
        eigenvalues: (k,) float64.
        eigenvectors: (k, p), unit rows, in the dtype of the operator.
        residuals: (k,), |Hv - lambda v| / |lambda_1| with lambda_1 the largest in magnitude.
        converged: (k,), whether the residual is within the tolerance.
        num_products: Operator applications spent.
        seconds: Wall time.

    >>> import torch
    >>> from sharpest.curvature import Eigenpairs, Hessian, eigenpairs
    >>> net = torch.nn.Linear(3, 1)
    >>> hessian = Hessian.of(net, torch.nn.functional.mse_loss, [(torch.eye(3), torch.zeros(3, 1))])
    >>> pairs = eigenpairs(hessian, k=2)
    >>> isinstance(pairs, Eigenpairs), pairs.eigenvalues.shape, pairs.eigenvectors.shape, pairs.converged.tolist()
    (True, (2,), torch.Size([2, 4]), [True, True])
    """

    eigenvalues: NDArray[np.float64]
    eigenvectors: Tensor
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]
    num_products: int
    seconds: float


def start_vector(rng: torch.Generator, dimension: int, hints: Sequence[Tensor] = ()) -> Tensor:
    """A unit start vector (p,): random, biased towards hints that overlap with the leading eigenvectors.

    The random part is never left out: a start inside an invariant subspace would hide a new leading direction.

    Args:
        rng: Draws the random part.
        dimension: p.
        hints: Vectors (p,) of equal weight, such as the gradient, or the sum of the previous measurement's
            eigenvectors; zero vectors are ignored.
    """
    random = torch.randn(dimension, generator=rng)
    random /= random.norm()
    leaning = sum((hint / hint.norm() for hint in hints if hint.any()), torch.zeros(()))
    if not leaning.any():
        return random
    start = leaning / leaning.norm() + 0.3 * random.to(leaning)
    return start / start.norm()


def largest_eigenpairs(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    num_eigenpairs: int,
    tolerance: float,
    max_products: int,
    rng: torch.Generator,
) -> Eigenpairs:
    """The eigenpairs of largest magnitude of a symmetric operator.

    The search ends when the residuals of all wanted pairs are within the tolerance and no other Ritz value can still
    enter the wanted set. If the basis is full before that, it is compressed to the half of the Ritz vectors with the
    largest magnitudes (thick restart). If the start is exhausted (its Krylov space is invariant, within the tolerance),
    the search continues from random directions orthogonal to the basis. They find larger eigenvalues outside, and
    further copies of repeated ones, since one start shows each eigenvalue only once. The search ends when such a
    direction brings nothing new.

    If the operator's rounding comes near the tolerance, one more product per pair verifies its residual.

    Args:
        product: Maps v (p,) to H v (p,).
        start: (p,), not zero; sets dtype and device.
        num_eigenpairs: k; at most p.
        tolerance: Largest residual relative to |lambda_1|.
        max_products: Stop after this many, and return the current pairs, flagged as converged or not.
        rng: Draws the random directions.

    Returns:
        The pairs, with residuals, flags and cost; all NaN if a product is not finite.

    Raises:
        ValueError: If k is not within 1..p, max_products is below k, or the start is zero.

    Source: Lanczos (1950), Wu and Simon (2000) for the restart, Paige's residual bound; the wanted set is that of
    inventory 1.4.
    """
    _check(start, num_eigenpairs, max_products)
    began = time.perf_counter()
    search = _Search(product, start, num_eigenpairs, tolerance, rng)
    source: Tensor | Remainder | None = start
    while source is not None:
        search.extend(source)
        if not search.finite:
            return search.nothing(began)
        complete = search.space.size == len(start) or search.num_products == max_products
        source = None if complete else search.next_source()
    return search.pairs(began)


def _check(start: Tensor, num_eigenpairs: int, max_products: int) -> None:
    if not 1 <= num_eigenpairs <= len(start):
        raise ValueError(f"num_eigenpairs {num_eigenpairs} must lie within 1..{len(start)}, the dimension")
    if max_products < num_eigenpairs:
        raise ValueError(f"max_products {max_products} is below num_eigenpairs {num_eigenpairs}; raise it")
    if not start.any():
        raise ValueError("the start vector is zero; take a random one")


class _Ritz:
    """The Ritz pairs of a basis, in ascending order, with bounds on their residuals.

    Attributes:
        values: (j,), Ritz values.
        weights: (j, j), Ritz vectors as columns, in coordinates of the basis.
        outside: For each remainder of the basis, (j,): length of each Ritz vector's image along the remainder.
        bounds: (j,), the sum of these; an upper bound on |Hv - lambda v|.
        order: (j,), indices of the pairs from the largest magnitude to the smallest.
    """

    def __init__(self, space: Subspace) -> None:
        self.values, self.weights = (array.numpy() for array in torch.linalg.eigh(torch.from_numpy(space.projected)))
        self.outside = [rest.length * np.abs(rest.coefficients @ self.weights) for rest in space.remainders]
        self.bounds = sum(self.outside, np.zeros(space.size))
        self.order = np.argsort(-np.abs(self.values))

    def wanted(self, num_eigenpairs: int) -> NDArray[np.intp]:
        """Indices of the k pairs of largest magnitude, from the largest to the smallest value."""
        wanted = np.argsort(-np.abs(self.values), kind="stable")[:num_eigenpairs]
        return wanted[np.argsort(-self.values[wanted], kind="stable")]

    def unsettled(self, num_eigenpairs: int, allowed: float) -> int | None:
        """Index of the first wanted pair that has not converged, else of the first other that may still be wanted."""
        wanted, others = self.order[:num_eigenpairs], self.order[num_eigenpairs:]
        reach = np.abs(self.values[others]) + self.bounds[others]
        least = np.abs(self.values[wanted[-1]]) + allowed
        unsettled = [*wanted[self.bounds[wanted] > allowed], *others[reach > least]]
        return int(unsettled[0]) if unsettled else None


class _Search:
    """The state of a search for the k leading eigenpairs: a basis that grows by one row per product.

    Attributes:
        space: The basis.
        ritz: Ritz pairs of the basis.
        num_products: Products spent so far.
        betas: Length of the remainder of each row since the latest start, when the row was new.
        exhausted: Whether any start has been exhausted; from then on the basis is not compressed.
        before: (k,), the wanted magnitudes before the latest start, if that start looks for more.
    """

    ritz: _Ritz

    def __init__(
        self,
        product: Callable[[Tensor], Tensor],
        start: Tensor,
        num_eigenpairs: int,
        tolerance: float,
        rng: torch.Generator,
    ) -> None:
        self._product, self._start, self._rng = product, start, rng
        self._num_eigenpairs, self._tolerance = num_eigenpairs, tolerance
        self._capacity = basis_size(num_eigenpairs)
        self.space = Subspace(start, min(len(start), self._capacity))
        self.num_products = 0
        self.betas: list[float] = []
        self.exhausted = False
        self.before: NDArray[np.float64] | None = None

    @property
    def finite(self) -> bool:
        """Whether the latest product was finite."""
        return bool(np.isfinite(self.betas[-1]))

    def extend(self, source: Tensor | Remainder) -> None:
        """Add a row, at the cost of one product."""
        self.betas.append(self.space.extend(source, self._product))
        self.num_products += 1
        if self.finite:
            self.ritz = _Ritz(self.space)

    def next_source(self) -> Tensor | Remainder | None:
        """The source of the next row; None once the wanted pairs are known."""
        leading = np.abs(self.ritz.values[self.ritz.order[: self._num_eigenpairs]])
        allowed = self._tolerance * leading[0]
        self.exhausted = self.exhausted or self.betas[-1] <= allowed
        unsettled = self.ritz.unsettled(self._num_eigenpairs, allowed)
        if unsettled is not None:
            return self._refine(unsettled)
        enough_rows = self.space.size >= self._num_eigenpairs
        if enough_rows and not self.exhausted:
            return None
        if self.before is None or not np.allclose(leading, self.before, rtol=0, atol=allowed):
            self.before = leading if enough_rows else None
            return self._start_again()
        block = self.space.projected[-len(self.betas) :, -len(self.betas) :]
        if self.betas[-1] == 0 or _would_have_shown(block, self.betas, leading[-1] + allowed, len(self._start)):
            return None
        return self.space.remainders[-1]

    def _refine(self, number: int) -> Remainder:
        """The remainder that holds most of a pair's residual; compresses a full basis first."""
        longest = int(np.argmax([lengths[number] for lengths in self.ritz.outside]))
        if self.space.full and not self.exhausted:
            self.space.compress(self.ritz.weights[:, self.ritz.order[: self._capacity // 2]])
            self.betas.clear()
        source = self.space.remainders[longest]
        if source.coefficients[-1] == 0:  # an earlier start continues, which ends the latest one
            self.before = None
        return source

    def _start_again(self) -> Tensor:
        """A random vector orthogonal to the basis."""
        random = torch.randn(len(self._start), generator=self._rng).to(self._start)
        self.betas.clear()
        return self.space.outside(self.space.outside(random))

    def pairs(self, began: float) -> Eigenpairs:
        """The wanted pairs; ``began`` is the time at which the search began."""
        wanted = self.ritz.wanted(self._num_eigenpairs)
        values = self.ritz.values[wanted]
        vectors = torch.from_numpy(self.ritz.weights[:, wanted].T.copy()).to(self._start) @ self.space.rows
        vectors /= torch.linalg.vector_norm(vectors, dim=1, keepdim=True, dtype=torch.float64)
        scale = max(float(np.abs(self.ritz.values).max()), np.finfo(np.float64).tiny)
        residuals = self.ritz.bounds[wanted]
        if self.space.asymmetry > 0.1 * self._tolerance * scale:
            residuals = self._verified(values, vectors)
        residuals = residuals / scale
        seconds = time.perf_counter() - began
        return Eigenpairs(values, vectors, residuals, residuals <= self._tolerance, self.num_products, seconds)

    def _verified(self, values: NDArray[np.float64], vectors: Tensor) -> NDArray[np.float64]:
        """|Hv - lambda v| (k,), at the cost of one product each."""
        self.num_products += len(values)
        pairs = zip(values.tolist(), vectors, strict=True)
        return np.array([length(self._product(vector) - value * vector) for value, vector in pairs])

    def nothing(self, began: float) -> Eigenpairs:
        """The result for an operator whose products are not finite."""
        values = np.full(self._num_eigenpairs, np.nan)
        vectors = self._start.new_zeros(self._num_eigenpairs, len(self._start))
        seconds = time.perf_counter() - began
        return Eigenpairs(values, vectors, values, np.isfinite(values), self.num_products, seconds)


def _would_have_shown(block: NDArray[np.float64], betas: list[float], magnitude: float, dimension: int) -> bool:
    """Whether a random start would by now have revealed an unseen eigenvalue of at least a given magnitude.

    A unit eigenvector u has |<start, u>| <= prod(beta) / |det(T - lambda I)|, and fewer than one random start in a
    hundred has a component below 0.01 / sqrt(p) along a given direction.

    Args:
        block: T (m, m), the operator in the rows since that start.
        betas: (m,), length of the remainder of each of these rows when it was new.
        magnitude: Above the magnitude of every eigenvalue of T.
        dimension: p.
    """
    edge = magnitude * np.eye(len(block))
    determinant = min(float(np.linalg.slogdet(block + shift)[1]) for shift in (-edge, edge))
    return bool(np.log(betas).sum() - determinant <= np.log(0.01 / np.sqrt(dimension)))
