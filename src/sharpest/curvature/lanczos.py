"""Leading eigenpairs of a symmetric operator, by Lanczos iteration with full reorthogonalisation.

A witness says what a random start shows of eigenvalues that the Krylov basis has not found. Let H Q = Q T + R B, with
the basis Q and its remainders R. An eigenvector u of H with the eigenvalue mu then satisfies
Q'u = (mu - T)^-1 B'R'u: its part in the basis follows from its part in the remainders. A random start x in the basis is
independent of u, so that |x'u| is at least 0.01 / sqrt(p), with 99 % probability. If remainders and (mu - T)^-1 are too
small for that, there is no such u. The wanted Ritz vectors are left out of T, since u is orthogonal to them.

Letters: p dimension, k wanted eigenpairs, j basis vectors so far, m remainders, g values of mu.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.curvature.operators import Operator, Seed, generator_of
from sharpest.curvature.sizes import basis_size
from sharpest.curvature.subspace import Remainder, Ritz, Subspace, length, lengths_of

_RISK = 0.01
"""Probability that a start contains too little of an eigenvector to show it."""
_MARGIN = 0.1
"""How much stronger than the last wanted pair a missing one must be, relative to its magnitude; closer ones would cost
many products."""
_OFFSETS = np.array([0, 0.01, 0.1, 0.5, 4])
"""Strengths of mu, as offsets relative to the magnitude of the least; (mu - T)^-1 falls with the distance, so that the
least decides."""
_NUM_POINTS, _FARTHEST = 1_000, 16
"""Strengths of mu to follow through compressions, and the largest offset as a multiple of the largest Ritz value."""
_SMALLEST = 1e-9
"""The smallest of these offsets at least, if the last wanted pair is one of the null space."""


class Witness:
    """A random start, as an eigenvector with the eigenvalue mu sees it: by its coordinates in basis and remainders.

    The start is in the basis until the basis is compressed. The inner product of u with the lost part is then expressed
    by its inner products with the remainders, which depends on mu.

    Args:
        inside: (j,), coordinates in the basis; the random part of the start has unit length.
        num_remainders: m.
        dimension: p.
    """

    def __init__(self, inside: NDArray[np.float64], num_remainders: int, dimension: int) -> None:
        self._expected = _RISK / np.sqrt(dimension)
        self._points: NDArray[np.float64] | None = None
        self._inside, self._beyond = inside[None], np.zeros((1, num_remainders))

    def extend(self, coupling: NDArray[np.float64], ended: int) -> None:
        """Follow a new row of the basis.

        Args:
            coupling: (m,), inner products of the row with the remainders before it.
            ended: Number of the remainder that became the row.
        """
        self._inside = np.column_stack([self._inside, self._beyond @ coupling])
        self._beyond = np.column_stack([np.delete(self._beyond, ended, axis=1), np.zeros(len(self._beyond))])

    def compress(self, ritz: Ritz, kept: NDArray[np.intp], num_eigenpairs: int) -> None:
        """Follow a compression of the basis to some Ritz vectors."""
        if self._points is None:
            largest, least = np.abs(ritz.values).max(), ritz.strengths[ritz.order[num_eigenpairs - 1]]
            nearest = max(_MARGIN / 2 * abs(least), _SMALLEST * largest)
            self._points = ritz.with_strengths(least + np.geomspace(nearest, _FARTHEST * largest, _NUM_POINTS))
        inside = self._inside @ ritz.weights
        self._beyond = self._beyond + _seen(ritz, np.setdiff1d(ritz.order, kept), inside, self._points)
        self._inside = np.broadcast_to(inside[:, kept], (len(self._points), len(kept)))

    def hidden(
        self, ritz: Ritz, gram: NDArray[np.float64], num_eigenpairs: int, allowed: float
    ) -> NDArray[np.float64] | None:
        """What may hide a missing eigenvalue: its share (m,) of each remainder; None if none is missing.

        Args:
            ritz: Ritz pairs of the basis.
            gram: (m, m), inner products of the remainders.
            num_eigenpairs: k.
            allowed: Difference of strengths below which eigenvalues count as equal.
        """
        if not gram.any():  # the basis is invariant
            return None
        last = ritz.strengths[ritz.order[num_eigenpairs - 1]]
        least = last + _MARGIN * abs(last) + allowed
        points = ritz.with_strengths(least + abs(last) * _OFFSETS) if self._points is None else self._points
        inside = self._inside @ ritz.weights
        seen = self._beyond + _seen(ritz, ritz.order[num_eigenpairs:], inside, points)
        seen = seen[ritz.strengths_of(points) >= least]
        lengths = lengths_of(seen, gram)
        worst = lengths.argmax()
        return None if lengths[worst] <= self._expected else np.sqrt(gram.diagonal()) * np.abs(seen[worst])


def _seen(
    ritz: Ritz, some: NDArray[np.intp], inside: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The part of a start within some Ritz vectors, in coordinates (g, m) of the remainders.

    Args:
        ritz: Ritz pairs of the basis.
        some: Indices of Ritz vectors.
        inside: (g or 1, j), coordinates of the start in the Ritz vectors.
        points: (g,), values of mu.
    """
    gaps = points[:, None] - ritz.values[some]
    return np.asarray((inside[:, some] / gaps) @ ritz.coefficients[:, some].T)


Which = Literal["magnitude", "largest", "smallest"]
_ENDS = {"magnitude": 0, "largest": 1, "smallest": -1}
_RANDOM = 0.3
"""Length of the random part of a start, relative to the part that leans towards hints."""


@dataclass(frozen=True)
class Eigenpairs:
    """The k eigenpairs at the wanted end of the spectrum, in descending order of the signed eigenvalue.

    Attributes:
        eigenvalues: (k,) float64.
        eigenvectors: (k, p), unit rows, in the dtype of the operator.
        residuals: (k,), |Hv - lambda v| / |lambda_1| with lambda_1 the largest in magnitude.
        converged: (k,), whether the residual is within the tolerance and the set is complete.
        complete: Whether all eigenvalues beyond the last were found, with a probability of 99 %.
        num_products: Operator applications spent.
        seconds: Wall time.
        num_checks: The part of these applications that came after the residuals were small, to look for missing pairs.

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
    complete: bool
    num_products: int
    seconds: float
    num_checks: int = 0


def start_vector(rng: torch.Generator, dimension: int, hints: Sequence[Tensor] = ()) -> Tensor:
    """A start vector (p,): a random unit vector, and hints that overlap with the leading eigenvectors.

    Args:
        rng: Draws the random part.
        dimension: p.
        hints: Vectors (p,) of equal weight, such as the gradient, or the sum of the previous measurement's
            eigenvectors; zero vectors are ignored.
    """
    random = torch.randn(dimension, generator=rng)
    random /= random.norm()
    leaning = sum((hint / hint.norm() for hint in hints if hint.any()), torch.zeros(()))
    return leaning / (_RANDOM * leaning.norm()) + random.to(leaning) if leaning.any() else random


def largest_eigenpairs(
    product: Callable[[Tensor], Tensor],
    like: Tensor,
    num_eigenpairs: int,
    tolerance: float,
    max_products: int,
    rng: torch.Generator,
    hints: Sequence[Tensor] = (),
    which: Which = "magnitude",
) -> Eigenpairs:
    """The eigenpairs of largest magnitude of a symmetric operator, or at one end of its spectrum.

    The search ends when the residuals of all wanted pairs are within the tolerance, no other Ritz value can still enter
    the wanted set, and a random start bears witness that no eigenvalue is missing: see ``sharpest.curvature.lanczos``.
    For a single pair, the first start is the witness. For more, one start shows each eigenvalue only once, so a further
    random start looks for copies, and another one after each that finds some. If the basis is full before the end, it
    is compressed to the half of the Ritz vectors that are nearest to the wanted end (thick restart).

    If the operator's rounding comes near the tolerance, one more product per pair verifies its residual.

    Args:
        product: Maps v (p,) to H v (p,).
        like: (p,), sets dimension, dtype and device.
        num_eigenpairs: k; at most p.
        tolerance: Largest residual relative to |lambda_1|.
        max_products: Stop after this many, and return the current pairs, flagged as incomplete.
        rng: Draws the random starts.
        hints: Vectors (p,) that overlap with the leading eigenvectors; they save products and determine nothing.
        which: "magnitude", "largest" for the largest signed eigenvalues, or "smallest".

    Returns:
        The pairs, with residuals, flags and cost; all NaN if a product is not finite.

    Raises:
        ValueError: If k is not within 1..p, max_products is below k, or which is unknown.

    Source: Lanczos (1950), Wu and Simon (2000) for the restart, Paige's residual bound; the wanted set is that of
    inventory 1.4.
    """
    _check(like, num_eigenpairs, max_products, which)
    began = time.perf_counter()
    search = _Search(product, like, num_eigenpairs, tolerance, rng, _ENDS[which])
    search.begin(hints)
    while search.finite and (add_row := search.next_step()) and search.num_products < max_products:
        add_row()
    return search.pairs(began) if search.finite else search.nothing(began)


def _check(like: Tensor, num_eigenpairs: int, max_products: int, which: str) -> None:
    if which not in _ENDS:
        raise ValueError(f"which is {which!r}; give one of {', '.join(_ENDS)}")
    if not 1 <= num_eigenpairs <= len(like):
        raise ValueError(f"num_eigenpairs {num_eigenpairs} must lie within 1..{len(like)}, the dimension")
    if max_products < num_eigenpairs:
        raise ValueError(f"max_products {max_products} is below num_eigenpairs {num_eigenpairs}; raise it")


class _Search:
    """The state of a search for the k leading eigenpairs: a basis that grows by one row per product.

    Attributes:
        space: The basis.
        ritz: Ritz pairs of the basis.
        witness: What the latest random start shows.
        num_products: Products spent so far.
        settled_after: Products after which all residuals were small for the first time.
        finite: Whether all products were finite.
        complete: Whether no wanted eigenvalue is missing.
        before: (k,), the wanted values before the latest start; None for the first.
    """

    ritz: Ritz
    witness: Witness

    def __init__(
        self,
        product: Callable[[Tensor], Tensor],
        like: Tensor,
        num_eigenpairs: int,
        tolerance: float,
        rng: torch.Generator,
        end: int = 0,
    ) -> None:
        self._product, self._like, self._rng = product, like, rng
        self._num_eigenpairs, self._tolerance, self._end = num_eigenpairs, tolerance, end
        self._capacity = min(len(like), basis_size(num_eigenpairs))
        self.space = Subspace(like, self._capacity)
        self.num_products = 0
        self.settled_after: int | None = None
        self.finite = True
        self.complete = False
        self.before: NDArray[np.float64] | None = None

    def begin(self, hints: Sequence[Tensor] = ()) -> None:
        """Add a random vector that leans towards the hints: the first row, or one orthogonal to the basis."""
        start = start_vector(self._rng, len(self._like), hints).to(self._like)
        self._make_room()
        self._extend(self.space.outside(self.space.outside(start)))
        self.witness = Witness(self.space.inside(start).cpu().numpy(), len(self.space.remainders), len(start))

    def next_step(self) -> Callable[[], None] | None:
        """What adds the next row, at the cost of one product; None once the wanted pairs are known."""
        k, size = self._num_eigenpairs, self.space.size
        leading = self.ritz.strengths[self.ritz.order[:k]]
        allowed = self._tolerance * np.abs(self.ritz.values).max()
        unsettled = self.ritz.unsettled(k, allowed)
        if size < len(self._like):
            if unsettled is not None:
                return partial(self._refine, self.ritz.outside[:, unsettled])
            if self.settled_after is None and size >= k:
                self.settled_after = self.num_products
            if size < k or not self._impartial(leading, allowed):
                self.before = leading if size >= k else None
                return self.begin
            hidden = self.witness.hidden(self.ritz, self.space.gram, k, allowed)
            if hidden is not None:
                return partial(self._refine, hidden)
        self.complete = True
        return None

    def _impartial(self, leading: NDArray[np.float64], allowed: float) -> bool:
        """Whether the wanted pairs are the same without the latest start, so that it can bear witness."""
        if self.before is None:
            return self._num_eigenpairs == 1  # a further copy of the only eigenvalue does not matter
        return np.allclose(leading, self.before, rtol=0, atol=allowed)

    def _refine(self, shares: NDArray[np.float64]) -> None:
        """Continue along the remainder with the largest share (m,)."""
        self._make_room()
        number = int(shares.argmax())
        self.witness.extend(self._extend(self.space.remainders[number]), number)

    def _extend(self, source: Tensor | Remainder) -> NDArray[np.float64]:
        coupling = self.space.extend(source, self._product)
        self.num_products += 1
        self.finite = bool(np.isfinite(self.space.remainders[-1].length))
        if self.finite:
            self.ritz = Ritz(self.space, self._end)
        return coupling

    def _make_room(self) -> None:
        """Compress a full basis."""
        if self.space.full and self.space.size < len(self._like):
            kept = self.ritz.order[: self._capacity // 2]
            self.witness.compress(self.ritz, kept, self._num_eigenpairs)
            self.space.compress(self.ritz.weights[:, kept])

    def pairs(self, began: float) -> Eigenpairs:
        """The wanted pairs; ``began`` is the time at which the search began."""
        wanted = self.ritz.wanted(self._num_eigenpairs)
        values = self.ritz.values[wanted]
        vectors = torch.from_numpy(self.ritz.weights[:, wanted].T.copy()).to(self._like) @ self.space.rows
        vectors /= torch.linalg.vector_norm(vectors, dim=1, keepdim=True, dtype=torch.float64)
        scale = max(float(np.abs(self.ritz.values).max()), np.finfo(np.float64).tiny)
        residuals, spent = self.ritz.bounds[wanted], self.num_products
        if self.space.asymmetry > 0.1 * self._tolerance * scale:
            residuals = self._verified(values, vectors)
        residuals = residuals / scale
        seconds = time.perf_counter() - began
        converged = (residuals <= self._tolerance) & self.complete
        checks = 0 if self.settled_after is None else spent - self.settled_after
        return Eigenpairs(values, vectors, residuals, converged, self.complete, self.num_products, seconds, checks)

    def _verified(self, values: NDArray[np.float64], vectors: Tensor) -> NDArray[np.float64]:
        """|Hv - lambda v| (k,), at the cost of one product each."""
        self.num_products += len(values)
        pairs = zip(values.tolist(), vectors, strict=True)
        return np.array([length(self._product(vector) - value * vector) for value, vector in pairs])

    def nothing(self, began: float) -> Eigenpairs:
        """The result for an operator whose products are not finite."""
        values = np.full(self._num_eigenpairs, np.nan)
        vectors = self._like.new_zeros(self._num_eigenpairs, len(self._like))
        seconds = time.perf_counter() - began
        return Eigenpairs(values, vectors, values, np.isfinite(values), False, self.num_products, seconds)


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
    eigenvectors of a nearby measurement; neither determines the result. Where products are inexact (see ``Hessian``),
    it ends when they can tell no more, and residuals include their error. Source: see ``largest_eigenpairs``.

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

    >>> import torch
    >>> from sharpest.curvature import Hessian, eigenpairs
    >>> steepness = torch.tensor([5.0, 3.0, 1.0, -4.0])
    >>> def loss(theta, inputs, targets):
    ...     return (steepness * theta.square()).sum() / 2
    >>> hessian = Hessian(loss, torch.ones(4), [(torch.zeros(1), torch.zeros(1))])
    >>> pairs = eigenpairs(hessian, k=3)
    >>> pairs.eigenvalues.round(3).tolist(), bool(pairs.converged.all())
    ([5.0, 3.0, -4.0], True)
    >>> eigenpairs(hessian, k=1, which="smallest").eigenvalues.round(3).tolist()
    [-4.0]
    """
    theta, rng = hessian.theta, generator_of(seed)
    if not 1 <= k <= len(theta):
        raise ValueError(f"k {k} must lie within 1..{len(theta)}, the number of parameters")
    limit = 20 * basis_size(k) if max_products is None else max_products
    least = max(tolerance, getattr(hessian, "product_tolerance", 0.0))
    pairs = largest_eigenpairs(hessian.product, theta, k, least, limit, rng, _hints(hessian, warm), which)
    return _with_errors(pairs, getattr(hessian, "product_error", None), tolerance)


def _with_errors(pairs: Eigenpairs, error: Callable[[Tensor], float] | None, tolerance: float) -> Eigenpairs:
    """The pairs, with the errors of products, which ``error`` bounds, in their residuals."""
    errors = np.array([error(vector) if error else 0.0 for vector in pairs.eigenvectors])
    if not errors.any():
        return pairs
    residuals = pairs.residuals + errors / np.abs(pairs.eigenvalues).max()
    return replace(pairs, residuals=residuals, converged=pairs.converged & (residuals <= tolerance))


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


@dataclass(frozen=True)
class Sharpness:
    """The largest algebraic eigenvalue lambda_max, with its eigenvector.

    Near initialisation it is not always the one of largest magnitude.

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
    hessian: Operator, tolerance: float, max_products: int, rng: torch.Generator, warm: Tensor | None = None
) -> Sharpness:
    """The largest signed eigenvalue with its eigenvector.

    Args:
        hessian: The operator.
        tolerance: Largest residual relative to the largest magnitude.
        max_products: Limit.
        rng: Draws the random part of the start.
        warm: An eigenvector (p,) from a nearby point, or None.
    """
    hints = _hints(hessian, warm)
    pairs = largest_eigenpairs(hessian.product, hessian.theta, 1, tolerance, max_products, rng, hints, "largest")
    return Sharpness(float(pairs.eigenvalues[0]), pairs.eigenvectors[0], bool(pairs.converged[0]), pairs.num_products)
