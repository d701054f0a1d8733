"""Projections of mini-batch gradients on directions, and the cosines between them."""

import torch
from torch import Tensor


def projections(gradients: Tensor, directions: Tensor) -> Tensor:
    """Inner products <g_m, e_i>.

    Args:
        gradients: (m, p).
        directions: (d, p), unit rows.

    Returns:
        (m, d) float64.
    """
    return (gradients @ directions.T).double()


def absolute_cosines(projection: Tensor, norms: Tensor) -> Tensor:
    """|cos(g_m, e_i)|, absolute because the sign of an eigenvector is arbitrary; 0 for a zero gradient.

    Args:
        projection: (m, d), <g_m, e_i> with unit e_i.
        norms: (m,), |g_m|.

    Returns:
        (m, d), between 0 and 1.

    Source: Fig. 5; inventory, Figure 5.
    """
    cosines = projection.abs() / norms[:, None]
    return torch.where(norms[:, None] > 0, cosines, 0.0).clamp(max=1)
