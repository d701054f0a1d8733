"""Mini-batch gradients against directions."""

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
    """|cos(g_m, e_i)|; the sign of an eigenvector carries no meaning. A zero gradient is aligned with nothing.

    Args:
        projection: (m, d), <g_m, e_i> with unit e_i.
        norms: (m,), |g_m|.

    Returns:
        (m, d), between 0 and 1.

    Source: Fig. 5; inventory, Figure 5.
    """
    cosines = projection.abs() / norms[:, None]
    return torch.where(norms[:, None] > 0, cosines, 0.0).clamp(max=1)
