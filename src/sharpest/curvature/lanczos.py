"""Leading eigenpairs of a symmetric operator by Lanczos with full reorthogonalisation.

Letters: p dimension, k wanted eigenpairs, j basis vectors so far.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.curvature.subspace import Remainder, Subspace, length


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


def start_vector(rng: torch.Generator, dimension: int, hints: Sequence[Tensor] = ()) -> Tensor:
    """A unit start vector, (p,): random, leaning on vectors that hold much of the leading ones.

    The random part is never left out: a start inside an invariant subspace would hide a new leading direction.

    Args:
        rng: Draws the random part.
        dimension: p.
        hints: Vectors (p,), each of the same weight, such as the gradient, or the sum of the previous measurement's
            eigenvectors; those of zeros say nothing.
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

    Goes on until the residuals of all wanted pairs are within the tolerance and no other Ritz value could still reach
    into the wanted set. When the basis is full before that, it is compressed to the half of the Ritz vectors with the
    largest values (thick restart). When the start is exhausted (its Krylov space is invariant, to the tolerance),
    random directions orthogonal to all that was seen look for more, until one brings nothing new: a larger eigenvalue
    outside, or further copies of a repeated one. A start that is not exhausted shows each eigenvalue once.

    Where the operator's rounding comes near the tolerance, one more product per pair verifies its residual.

    Args:
        product: v (p,) to H v (p,).
        start: (p,), not zero; gives dtype and device.
        num_eigenpairs: k; at most p.
        tolerance: Largest residual relative to |lambda_1|.
        max_products: Give up after so many, with what was found and honest flags.
        rng: Draws the random directions.

    Returns:
        The pairs, with residuals, flags and cost; all NaN where a product is not finite.

    Raises:
        ValueError: If k is not within 1..p, max_products is below k or the start is zero.

    Source: Lanczos (1950), Wu and Simon (2000) for the restart, Paige's residual bound; the set is that of
    inventory 1.4.
    """
    dimension = len(start)
    if not 1 <= num_eigenpairs <= dimension:
        raise ValueError(f"num_eigenpairs {num_eigenpairs} must lie within 1..{dimension}, the dimension")
    if max_products < num_eigenpairs:
        raise ValueError(f"max_products {max_products} is below num_eigenpairs {num_eigenpairs}; raise it")
    if not start.any():
        raise ValueError("the start vector is zero; take a random one")
    began = time.perf_counter()
    capacity = max(32, 3 * num_eigenpairs)
    space = Subspace(start, min(dimension, capacity))
    source: Tensor | Remainder = start
    betas: list[float] = []  # lengths of the remainders of the rows since the latest start, when they were new
    exhausted = False
    known: NDArray[np.float64] | None = None  # wanted magnitudes before the latest start, where it looks for more
    num_products = 0
    while True:
        betas.append(space.extend(source, product))
        num_products += 1
        if not np.isfinite(betas[-1]):
            return _nothing(start, num_eigenpairs, num_products, began)
        ritz, weights = (array.numpy() for array in torch.linalg.eigh(torch.from_numpy(space.projected)))
        outer = [r.length * np.abs(r.coefficients @ weights) for r in space.remainders]
        bounds = sum(outer, np.zeros(space.size))
        if space.size == dimension or num_products == max_products:
            break
        order = np.argsort(-np.abs(ritz))
        leading = np.abs(ritz[order[:num_eigenpairs]])
        allowed = tolerance * leading[0]
        exhausted = exhausted or betas[-1] <= allowed
        pair = _unsettled(ritz, bounds, num_eigenpairs, allowed)
        if pair is not None:
            number = int(np.argmax([lengths[pair] for lengths in outer]))
            if space.full and not exhausted:
                space.compress(weights[:, order[: capacity // 2]])
                betas.clear()
            source = space.remainders[number]
            if source.coefficients[-1] == 0:  # an earlier start goes on, which ends the latest one
                known = None
        elif space.size >= num_eigenpairs and not exhausted:
            break
        elif known is None or not np.allclose(leading, known, rtol=0, atol=allowed):
            known = leading if space.size >= num_eigenpairs else None
            source = space.outside(space.outside(torch.randn(dimension, generator=rng).to(start)))
            betas.clear()
        elif betas[-1] != 0 and not _would_have_shown(
            space.projected[-len(betas) :, -len(betas) :], betas, leading[-1] + allowed, dimension
        ):
            source = space.remainders[-1]
        else:
            break
    wanted = np.argsort(-np.abs(ritz), kind="stable")[:num_eigenpairs]
    wanted = wanted[np.argsort(-ritz[wanted], kind="stable")]
    vectors = torch.from_numpy(weights[:, wanted].T.copy()).to(start) @ space.rows
    vectors /= torch.linalg.vector_norm(vectors, dim=1, keepdim=True, dtype=torch.float64)
    residuals, scale = bounds[wanted], max(float(np.abs(ritz).max()), np.finfo(np.float64).tiny)
    if space.asymmetry > 0.1 * tolerance * scale:
        values = zip(vectors, ritz[wanted].tolist(), strict=True)
        residuals = np.array([length(product(vector) - value * vector) for vector, value in values])
        num_products += num_eigenpairs
    residuals = residuals / scale
    return Eigenpairs(
        eigenvalues=ritz[wanted],
        eigenvectors=vectors,
        residuals=residuals,
        converged=residuals <= tolerance,
        num_products=num_products,
        seconds=time.perf_counter() - began,
    )


def _nothing(like: Tensor, num_eigenpairs: int, num_products: int, began: float) -> Eigenpairs:
    """What is known of an operator that is not finite."""
    values = np.full(num_eigenpairs, np.nan)
    vectors = like.new_zeros(num_eigenpairs, len(like))
    return Eigenpairs(values, vectors, values, np.isfinite(values), num_products, time.perf_counter() - began)


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
