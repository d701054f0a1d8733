"""An orthonormal basis of vectors and a symmetric operator within it, on a block of memory of fixed size.

Letters: p dimension, j basis vectors so far.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# float32 sums over all p would cost an eigenvalue its fifth digit; pieces of this length are summed in float64
_PIECE_CPU = 8_192
# share of its length that a vector must keep for one pass to make it orthogonal to working precision: Daniel, Gragg,
# Kaufman and Stewart (1976), who also show that two passes always do
_ENOUGH = 0.5**0.5


@dataclass(frozen=True)
class Remainder:
    """What the images of the rows have outside the span along one vector: H Q = Q T + sum of vector x coefficients.

    Attributes:
        vector: (p,), orthogonal to the rows.
        length: Its norm.
        coefficients: (j,), one per row.
    """

    vector: Tensor
    length: float
    coefficients: NDArray[np.float64]


class Subspace:
    """Orthonormal rows Q (j, p), T, the operator within their span, and what its images of them have outside.

    Args:
        like: (p,), gives dtype and device.
        capacity: Rows that fit before the block must grow.

    Attributes:
        size: j.
        projected: T (j, j).
        remainders: The images' parts outside the span.
        asymmetry: Largest difference seen between the two products that give one entry of T: the operator's rounding.
    """

    def __init__(self, like: Tensor, capacity: int) -> None:
        self._block = like.new_empty(capacity, len(like))
        self.size = 0
        self.projected = np.zeros((0, 0))
        self.remainders: list[Remainder] = []
        self.asymmetry = 0.0

    @property
    def rows(self) -> Tensor:
        return self._block[: self.size]

    @property
    def full(self) -> bool:
        """Whether the next row needs more memory."""
        return self.size == len(self._block)

    def inside(self, vector: Tensor) -> Tensor:
        """Coefficients of the part within the span, (j,) float64."""
        piece = len(vector) if vector.is_cuda else _PIECE_CPU
        total = torch.zeros(self.size, dtype=torch.float64, device=vector.device)
        for rows, values in zip(self.rows.split(piece, dim=1), vector.split(piece), strict=True):
            total += rows @ values
        return total

    def outside(self, vector: Tensor) -> Tensor:
        """The part outside the span; where little is left, a second call brings back the digits lost."""
        return self._split(vector)[0]

    def extend(self, source: Tensor | Remainder, product: Callable[[Tensor], Tensor]) -> float:
        """Append a row: a vector orthogonal to the others, brought to unit length, or the vector of a remainder.

        Returns:
            Length of what the row's image has outside the span.
        """
        if self.full:
            self._block = torch.cat([self._block, torch.empty_like(self._block)])
        vector = source.vector if isinstance(source, Remainder) else source
        row = self._block[self.size]
        torch.div(vector, length(vector), out=row)
        known = np.zeros(self.size + 1)  # its image's coefficients in the rows; in older ones, from their images
        for remainder in self.remainders:
            known[:-1] += float(row @ remainder.vector) * remainder.coefficients
        self.size += 1
        image = product(row)
        known[-1] = float(row @ image)
        known = torch.from_numpy(known).to(image.dtype).double().numpy()  # as they are subtracted
        outer = image - known[-1] * row
        for older in np.flatnonzero(known[:-1]):  # mostly one, and a pass over all rows costs as much as a product
            outer.sub_(self.rows[older], alpha=float(known[older]))
        outer, missed = self._cleaned(outer)
        self.asymmetry = max(self.asymmetry, float(np.abs(missed[:-1]).max(initial=0.0)))
        self.projected = np.pad(self.projected, (0, 1))
        self.projected[-1] = self.projected[:, -1] = known + missed
        others = [r for r in self.remainders if r is not source]
        cleaned = [(self.outside(r.vector), np.append(r.coefficients, 0.0)) for r in others]
        cleaned.append((outer, np.append(np.zeros(self.size - 1), 1.0)))
        remainders = [Remainder(part, length(part), coefficients) for part, coefficients in cleaned]
        self.remainders = [remainder for remainder in remainders if remainder.length != 0]
        return remainders[-1].length

    def compress(self, weights: NDArray[np.float64]) -> None:
        """Keep some combinations of the rows: invariant ones of T, such as its eigenvectors.

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
        """The part outside the span, and the coefficients (j,) float64 of the part inside."""
        inside = self.inside(vector)
        return vector - self.rows.T @ inside.to(vector), inside

    def _cleaned(self, vector: Tensor) -> tuple[Tensor, NDArray[np.float64]]:
        """The part outside the span, and the coefficients (j,) of the part inside; split twice where that was much."""
        before = length(vector)
        outside, inside = self._split(vector)
        if length(outside) < _ENOUGH * before:
            outside, more = self._split(outside)
            inside = inside + more
        return outside, inside.cpu().numpy()


def length(vector: Tensor) -> float:
    """Euclidean norm, summed in float64."""
    return float(torch.linalg.vector_norm(vector, dtype=torch.float64))
