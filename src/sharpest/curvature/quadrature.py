"""Spectral density from quadrature nodes and weights: smeared on a grid, and its moments with errors over probes.

Does not import torch. Letters: n probes, m nodes of each, p dimension, g grid points.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

_REACH = 7  # widths at which a Gaussian is cut off; 1e-12 of its mass lies beyond


class Sum(NamedTuple):
    """A sum over the eigenvalues and its standard error; two errors cover the truth in 95 of 100 draws."""

    value: float
    error: float


def grid_over(nodes: NDArray[np.float64], width: float, num_points: int) -> NDArray[np.float64]:
    """An evenly spaced grid that covers all of the smeared density.

    Args:
        nodes: Nodes in an array of any shape.
        width: Standard deviation of the Gaussian, in the unit of the nodes.
        num_points: g, at least 2.

    Returns:
        (g,), increasing; NaN if a node is NaN.
    """
    return np.linspace(nodes.min() - _REACH * width, nodes.max() + _REACH * width, num_points)


def smeared(
    nodes: NDArray[np.float64], weights: NDArray[np.float64], width: float, grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean density in the cell around each point of an even grid, with each node smeared to a Gaussian.

    Means over cells keep the integral (sum times spacing) at 1 on any grid that reaches seven widths beyond the nodes,
    even if the cells are wider than the Gaussian.

    Args:
        nodes: (n, m).
        weights: (n, m); each row sums to 1.
        width: Standard deviation of the Gaussian, in the unit of the nodes.
        grid: (g,), evenly increasing, at least 2 points.

    Returns:
        (g,), per unit of the nodes; zero beyond seven widths from all nodes.

    Source: Lin, Saad and Yang (2016), Sec. 2.3.
    """
    spacing = (grid[-1] - grid[0]) / (len(grid) - 1)
    edges = np.append(grid - spacing / 2, grid[-1] + spacing / 2)
    shares = np.zeros(len(grid))
    for node, weight in zip(nodes.ravel(), weights.ravel(), strict=True):
        below = ndtr(np.clip((edges - node) / width, -_REACH, _REACH))
        shares += weight * np.diff(below)
    return shares / (len(nodes) * spacing)


def sum_of(function_of_nodes: NDArray[np.float64], weights: NDArray[np.float64], dimension: int) -> Sum:
    """The sum of a function f over the p eigenvalues, and its error.

    For a uniformly distributed unit vector v, the variance of v.f(H)v is 2 / (p + 2) times the variance of f over the
    spectrum. The quadrature gives the latter. It is far better known than the spread of a few probes. Orthogonal probes
    deviate in opposite ways: p probes give the sum exactly. The variance comes from the same probes, so for few probes
    Student's t replaces the normal distribution.

    Args:
        function_of_nodes: (n, m), f at the nodes. For the error, the quadrature should be exact for the square of f.
        weights: (n, m); each row sums to 1.
        dimension: p.
    """
    means, squares = (float((weights * f).sum(axis=1).mean()) for f in (function_of_nodes, function_of_nodes**2))
    num_probes = len(weights)
    if num_probes == 1:
        return Sum(dimension * means, math.nan)
    unsampled = (dimension - num_probes) / max(dimension - 1, 1)
    variance = 2 / (dimension + 2) * max(squares - means**2, 0.0) * unsampled / num_probes
    widening = float(stdtrit(num_probes - 1, 0.975)) / 2
    return Sum(dimension * means, dimension * math.sqrt(variance) * widening)
