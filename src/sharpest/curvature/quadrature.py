"""Spectral density from quadrature nodes and weights: smeared on a grid, and its moments with errors over probes.

Does not import torch. Letters: n probes, m nodes of each, p dimension, g grid points.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

RESOLVED = 1e-5
"""Share of the largest magnitude that float32 distinguishes from zero; the sign of smaller values is unknown."""

_REACH = 7  # widths at which a Gaussian is cut off; 1e-12 of its mass lies beyond


class Mean(NamedTuple):
    """A mean over probes and its standard error."""

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


def mean_of(
    function_of_nodes: NDArray[np.float64] | NDArray[np.bool_],
    weights: NDArray[np.float64],
    dimension: int,
    factor: float = 1.0,
) -> Mean:
    """The mean of a function over the p eigenvalues, times a factor, and its standard error.

    Orthogonal probes deviate in opposite ways: the variance of their mean is that of n draws without replacement from
    p, and p probes give the mean exactly.

    Args:
        function_of_nodes: (n, m), the function at the nodes.
        weights: (n, m); each row sums to 1.
        dimension: p.
        factor: p for a sum over the eigenvalues, such as the trace.
    """
    values = (weights * function_of_nodes).sum(axis=1)
    num_probes = len(values)
    unsampled = max(0.0, 1 - num_probes / dimension)
    error = float(values.std(ddof=1)) * math.sqrt(unsampled / num_probes) if num_probes > 1 else math.nan
    return Mean(factor * float(values.mean()), factor * error)
