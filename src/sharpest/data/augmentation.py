"""Horizontal flips and real-valued shifts, resampled bilinearly with the edge repeated."""

import torch
from torch import Tensor
from torch.nn import functional


def augment(images: Tensor, draws: Tensor, flip: bool, shift: float) -> Tensor:
    """Flip and shift each image.

    Args:
        images: (n, c, h, w).
        draws: (n, 3), uniform in [0, 1): the flip (below 1/2: flipped), then the two shifts.
        flip: Whether images may be flipped.
        shift: Largest shift as a fraction of the side.

    Returns:
        (n, c, h, w).

    Source: inventory 1.1 (Keras' image generator, whose shifts blur most images slightly).
    """
    draws = draws.to(images)
    matrix = torch.zeros(len(images), 2, 3, device=images.device, dtype=images.dtype)
    matrix[:, 0, 0] = torch.where(draws[:, 0] < 0.5, -1.0, 1.0) if flip else 1.0
    matrix[:, 1, 1] = 1
    # grid coordinates run from -1 to 1, so a side is 2 long
    matrix[:, 1, 2] = 2 * shift * (2 * draws[:, 1] - 1)
    matrix[:, 0, 2] = 2 * shift * (2 * draws[:, 2] - 1)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
