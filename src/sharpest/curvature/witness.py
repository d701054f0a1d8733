"""What a random start shows of eigenvalues that a Krylov basis has not found.

Let H Q = Q T + R B, with the basis Q and its remainders R. An eigenvector u of H with the eigenvalue mu then satisfies
Q'u = (mu - T)^-1 B'R'u: its part in the basis follows from its part in the remainders. A random start x in the basis is
independent of u, so that |x'u| is at least 0.01 / sqrt(p), with 99 % probability. If remainders and (mu - T)^-1 are too
small for that, there is no such u. The wanted Ritz vectors are left out of T, since u is orthogonal to them.

Letters: p dimension, k wanted eigenpairs, j basis vectors, m remainders, g values of mu.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sharpest.curvature.subspace import Ritz, lengths_of

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
