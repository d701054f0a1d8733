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

from sharpest.curvature.subspace import Ritz

_RISK = 0.01
"""Probability that a start contains too little of an eigenvector to show it."""
_MARGIN = 1.1
"""How many times larger than the last wanted magnitude a missing one must be; closer ones would cost many products."""
_MULTIPLES = np.array([1, 1.01, 1.1, 1.5, 5])
"""Magnitudes of mu, as multiples of the least; (mu - T)^-1 falls with the magnitude, so that the least decides."""
_NUM_POINTS, _FARTHEST = 1_000, 16
"""Magnitudes of mu to follow through compressions, and the largest as a multiple of the largest Ritz value."""
_SMALLEST = 1e-9
"""The smallest of these magnitudes at least, if the last wanted pair is one of the null space."""


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
            largest, least = np.abs(ritz.values[ritz.order[[0, num_eigenpairs - 1]]])
            magnitudes = np.geomspace(max(least, _SMALLEST * largest), _FARTHEST * largest, _NUM_POINTS + 1)[1:]
            self._points = np.concatenate([magnitudes, -magnitudes])
        inside = self._inside @ ritz.weights
        self._beyond = self._beyond + _seen(ritz, np.setdiff1d(ritz.order, kept), inside, self._points)
        self._inside = np.broadcast_to(inside[:, kept], (len(self._points), len(kept)))

    def hidden(
        self, ritz: Ritz, lengths: NDArray[np.float64], num_eigenpairs: int, allowed: float
    ) -> NDArray[np.float64] | None:
        """What may hide a missing eigenvalue: its share (m,) of each remainder; None if none is missing.

        Args:
            ritz: Ritz pairs of the basis.
            lengths: (m,), of the remainders.
            num_eigenpairs: k.
            allowed: Difference of magnitudes below which eigenvalues count as equal.
        """
        if not lengths.any():  # the basis is invariant
            return None
        least = _MARGIN * np.abs(ritz.values[ritz.order[num_eigenpairs - 1]]) + allowed
        points = np.outer([1, -1], least * _MULTIPLES).ravel() if self._points is None else self._points
        inside = self._inside @ ritz.weights
        seen = self._beyond + _seen(ritz, ritz.order[num_eigenpairs:], inside, points)
        shares = lengths * np.abs(seen[np.abs(points) >= least])
        worst = shares[shares.sum(axis=1).argmax()]
        return None if worst.sum() <= self._expected else worst


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
