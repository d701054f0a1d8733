"""An orthonormal basis, the projection of a symmetric operator on it, and the Ritz pairs of that projection.

Letters: p dimension, j basis vectors so far.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# float32 sums over all p would cost an eigenvalue its fifth digit; pieces of this length are summed in float64
_PIECE_CPU = 8_192
# a vector that keeps this share of its length is orthogonal to working precision after one pass; after two passes it
# always is: Daniel, Gragg, Kaufman and Stewart (1976)
_ENOUGH = 0.5**0.5


@dataclass(frozen=True)
class Remainder:
    """The part of the rows' images outside the span, along one vector: H Q = Q T + sum of vector x coefficients.

    Attributes:
        vector: (p,), orthogonal to the rows.
        length: Norm of the vector.
        coefficients: (j,), one per row.
    """

    vector: Tensor
    length: float
    coefficients: NDArray[np.float64]


class Subspace:
    """Orthonormal rows Q (j, p), the operator T within their span, and the parts of the rows' images outside it.

    Args:
        like: (p,), sets dtype and device.
        capacity: Rows that fit before the block must grow.

    Attributes:
        size: j.
        projected: T (j, j).
        remainders: The parts of the rows' images outside the span.
        gram: (m, m), inner products of the remainders' vectors.
        asymmetry: Largest difference so far between the two products that give one entry of T: the operator's rounding.
    """

    def __init__(self, like: Tensor, capacity: int) -> None:
        self._block = like.new_empty(capacity, len(like))
        self.size = 0
        self.projected = np.zeros((0, 0))
        self.remainders: list[Remainder] = []
        self.gram = np.zeros((0, 0))
        self.asymmetry = 0.0

    @property
    def rows(self) -> Tensor:
        return self._block[: self.size]

    @property
    def full(self) -> bool:
        """Whether the next row needs more memory."""
        return self.size == len(self._block)

    def inside(self, vector: Tensor) -> Tensor:
        """Coefficients (j,), in float64, of the part of a vector within the span."""
        piece = len(vector) if vector.is_cuda else _PIECE_CPU
        total = torch.zeros(self.size, dtype=torch.float64, device=vector.device)
        for rows, values in zip(self.rows.split(piece, dim=1), vector.split(piece), strict=True):
            total += rows @ values
        return total

    def outside(self, vector: Tensor) -> Tensor:
        """The part of a vector outside the span; if little is left, a second call restores the lost digits."""
        return self._split(vector)[0]

    def extend(self, source: Tensor | Remainder, product: Callable[[Tensor], Tensor]) -> NDArray[np.float64]:
        """Append a row, normalised: a vector orthogonal to the other rows, or the vector of a remainder, which ends.

        The row's own remainder is the last. The host waits for the device once, at the end, to read all numbers
        together.

        Returns:
            (m,), inner products of the row with the remainders before it.
        """
        if self.full:
            self._block = torch.cat([self._block, torch.empty_like(self._block)])
        row = self._block[self.size]
        if isinstance(source, Remainder):
            torch.div(source.vector, source.length, out=row)
        else:
            torch.div(source, length(source), out=row)
        shares = [row @ remainder.vector for remainder in self.remainders]
        self.size += 1
        image = product(row)
        shares.append(row @ image)
        outer, outer_norm, missed = self._cleaned(self._without_known(image, shares))
        others = [remainder for remainder in self.remainders if remainder is not source]
        cleaned = [*(self.outside(remainder.vector) for remainder in others), outer]
        across = [cleaned[i].dot(cleaned[j]) for i, j in combinations(range(len(cleaned)), 2)]
        numbers = [*shares, *map(norm, cleaned[:-1]), outer_norm, *across]
        read = torch.cat([torch.stack([number.double() for number in numbers]), missed]).cpu().numpy()
        ends = np.cumsum([len(shares), len(cleaned), len(across)])
        shares_read, lengths, across_read, missed_read = np.split(read, ends)
        self._project(shares_read, missed_read, image.dtype)
        self.gram = np.diag(lengths**2)
        self.gram[np.triu_indices(len(lengths), 1)] = across_read
        self.gram = np.triu(self.gram) + np.triu(self.gram, 1).T
        coefficients = [
            *(np.append(remainder.coefficients, 0.0) for remainder in others),
            np.append(np.zeros(self.size - 1), 1.0),
        ]
        self.remainders = [
            Remainder(vector, float(size), weights)
            for vector, size, weights in zip(cleaned, lengths, coefficients, strict=True)
        ]
        return shares_read[:-1]

    def _without_known(self, image: Tensor, shares: list[Tensor]) -> Tensor:
        """The newest row's image minus its part within the span, as far as the older rows' images determine it.

        Args:
            image: (p,).
            shares: Inner products of the newest row with the vectors of the remainders, then with the image.
        """
        outer = image - shares[-1] * self.rows[-1]
        known: dict[int, Tensor] = {}  # usually one row; a pass over all rows costs as much as a product
        for share, remainder in zip(shares, self.remainders, strict=False):
            for older in np.flatnonzero(remainder.coefficients).tolist():
                part = share.double() * float(remainder.coefficients[older])
                known[older] = known[older] + part if older in known else part
        for older, factor in known.items():
            if outer.is_cuda:
                outer.addcmul_(self.rows[older], factor.to(outer), value=-1)
            else:
                outer.sub_(self.rows[older], alpha=float(factor.to(outer)))
        return outer

    def _project(self, shares: NDArray[np.float64], missed: NDArray[np.float64], dtype: torch.dtype) -> None:
        """Append the newest row's image to T: the part that was subtracted, rounded to a dtype, and the part missed."""
        known = np.zeros(self.size)
        for share, remainder in zip(shares, self.remainders, strict=False):
            known[:-1] += share * remainder.coefficients
        known[-1] = shares[-1]
        known = torch.from_numpy(known).to(dtype).double().numpy()
        self.asymmetry = max(self.asymmetry, float(np.abs(missed[:-1]).max(initial=0.0)))
        self.projected = np.pad(self.projected, (0, 1))
        self.projected[-1] = self.projected[:, -1] = known + missed

    def compress(self, weights: NDArray[np.float64]) -> None:
        """Keep some combinations of the rows that T leaves invariant, such as its eigenvectors.

        Args:
            weights: (j, m), orthonormal columns, each an eigenvector of T.
        """
        rotation = torch.from_numpy(weights.T.copy()).to(self._block)
        kept = weights.shape[1]
        for piece in self._block.split(_PIECE_CPU, dim=1):  # in place, since a second block may not fit
            piece[:kept] = rotation @ piece[: self.size]
        self.projected = weights.T @ self.projected @ weights
        self.remainders = [Remainder(r.vector, r.length, weights.T @ r.coefficients) for r in self.remainders]
        self.size = kept

    def _split(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """The part outside the span, and the coefficients (j,), in float64, of the part inside."""
        inside = self.inside(vector)
        part = self.rows.T @ inside.to(vector)
        return torch.sub(vector, part, out=part), inside

    def _cleaned(self, vector: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The part outside the span, its norm, and the coefficients (j,) of the part inside.

        The vector is split twice if much of it was inside.
        """
        outside, inside = self._split(vector)
        left = norm(outside)
        # on a GPU a second pass costs less than waiting for the norms
        if vector.is_cuda or float(left) < _ENOUGH * float(torch.hypot(left, norm(inside))):
            outside, more = self._split(outside)
            inside, left = inside + more, norm(outside)
        return outside, left, inside


class Ritz:
    """The Ritz pairs of a basis, in ascending order, with bounds on their residuals.

    Attributes:
        values: (j,), Ritz values.
        weights: (j, j), Ritz vectors as columns, in coordinates of the basis.
        coefficients: (m, j), of the remainders in the Ritz vectors' images.
        outside: (m, j), length of each Ritz vector's image along each remainder.
        bounds: (j,), |Hv - lambda v| up to rounding.
        strengths: (j,), how far each value lies at the wanted end: |value|, or the value with the sign of that end.
        order: (j,), indices of the pairs from the greatest strength to the least.

    Args:
        space: The basis.
        end: 0 for the values of largest magnitude, 1 for the largest values, -1 for the smallest.
    """

    def __init__(self, space: Subspace, end: int = 0) -> None:
        self.values, self.weights = (array.numpy() for array in torch.linalg.eigh(torch.from_numpy(space.projected)))
        self.coefficients = np.stack([rest.coefficients for rest in space.remainders]) @ self.weights
        self.outside = np.sqrt(space.gram.diagonal())[:, None] * np.abs(self.coefficients)
        self.bounds = lengths_of(self.coefficients.T, space.gram)
        self._end = end
        self.strengths = self.strengths_of(self.values)
        self.order = np.argsort(-self.strengths, kind="stable")

    def strengths_of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far values lie at the wanted end."""
        return self._end * values if self._end else np.abs(values)

    def with_strengths(self, strengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """All values with some strengths: two of each magnitude, one otherwise."""
        return self._end * strengths if self._end else np.concatenate([strengths, -strengths])

    def wanted(self, num_eigenpairs: int) -> NDArray[np.intp]:
        """Indices of the k pairs of greatest strength, from the largest to the smallest value."""
        wanted = self.order[:num_eigenpairs]
        return wanted[np.argsort(-self.values[wanted], kind="stable")]

    def unsettled(self, num_eigenpairs: int, allowed: float) -> int | None:
        """Index of the first wanted pair that has not converged, else of the first other that may still be wanted."""
        wanted, others = self.order[:num_eigenpairs], self.order[num_eigenpairs:]
        reach = self.strengths[others] + self.bounds[others]
        least = self.strengths[wanted[-1]] + allowed
        unsettled = [*wanted[self.bounds[wanted] > allowed], *others[reach > least]]
        return int(unsettled[0]) if unsettled else None


def lengths_of(weights: NDArray[np.float64], gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths (n,) of combinations of vectors, with weights (n, m), from the vectors' inner products (m, m)."""
    return np.sqrt(np.maximum(((weights @ gram) * weights).sum(axis=1), 0))


def norm(vector: Tensor) -> Tensor:
    """Euclidean norm as a scalar on the device, as accurate as if summed in float64 and several times as fast."""
    whole = len(vector) - len(vector) % _PIECE_CPU
    pieces = torch.linalg.vector_norm(vector[:whole].view(-1, _PIECE_CPU), dim=1)
    squares = pieces.double().square().sum() + torch.linalg.vector_norm(vector[whole:]).double().square()
    return squares.sqrt()


def length(vector: Tensor) -> float:
    """Euclidean norm as a Python number; the host waits for it."""
    return float(norm(vector))
