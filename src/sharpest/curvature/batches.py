"""Gradients of mini-batches, and the curvature of each batch along its own gradient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from sharpest.curvature.differentiation import differentiate
from sharpest.curvature.hessian import Chunk, Hessian, Loss

TOGETHER_PARAMETERS = 50_000
"""Nets up to this size process many batches at once: calls dominate their cost, not arithmetic."""
TOGETHER_EXAMPLES = 2_048  # examples in one pass


def batch_curvature(
    loss: Loss, theta: Tensor, batches: Iterable[Chunk], chunk_size: int | None = None
) -> tuple[Tensor, Tensor]:
    """The gradient g_m of each batch's mean loss, and the curvature g_m . H_m g_m along it, both exact.

    Small nets process many batches at once, which is faster and gives the same values up to rounding.

    Args:
        loss: ``loss(theta, inputs, targets)``, the mean over the examples given; twice differentiable.
        theta: (p,).
        batches: m pairs (inputs, targets).
        chunk_size: Examples of a batch in memory at once; None = the whole batch.

    Returns:
        (m, p), in the dtype of theta; (m,) float64, nats.

    Raises:
        ValueError: If there are no batches.
        NotTwiceDifferentiableError: If the loss has only a first derivative.

    >>> import torch
    >>> from sharpest.curvature import batch_curvature
    >>> def loss(theta, inputs, targets):
    ...     return (inputs * theta.square()).mean() / 2
    >>> batches = [(torch.tensor([1.0, 3.0]), torch.zeros(2)), (torch.tensor([4.0, 4.0]), torch.zeros(2))]
    >>> batch_curvature(loss, torch.ones(1), batches)
    (tensor([[2.],
            [4.]]), tensor([ 8., 64.], dtype=torch.float64))
    """
    batches = list(batches)
    if not batches:
        raise ValueError("no batches to take gradients of; give at least one")
    gradients = theta.new_empty(len(batches), len(theta))
    curvature = theta.new_empty(len(batches), dtype=torch.float64)
    done = 0
    for group in _groups(batches, len(theta)):
        part = slice(done, done := done + len(group))
        gradients[part], products = _together(loss, theta, group) or _alone(loss, theta, group, chunk_size)
        curvature[part] = torch.linalg.vecdot(gradients[part].double(), products.double())
    return gradients, curvature


def _groups(batches: list[Chunk], num_parameters: int) -> Iterator[list[Chunk]]:
    """Consecutive batches of one size that are processed together; single batches if the net is large."""
    group: list[Chunk] = []
    for batch in batches:
        most = TOGETHER_EXAMPLES // len(batch[1]) if num_parameters <= TOGETHER_PARAMETERS else 1
        if group and (len(group) >= most or batch[0].shape != group[0][0].shape):
            yield group
            group = []
        group.append(batch)
    yield group


def _together(loss: Loss, theta: Tensor, batches: list[Chunk]) -> tuple[Tensor, Tensor] | None:
    """Gradients (b, p) and products H_m g_m (b, p) from one graph; None if it cannot be built.

    Each batch has its own copy of the parameters, so that the Hessian of the summed losses is block diagonal, with the
    Hessians of the batches as blocks.
    """
    if len(batches) == 1:
        return None
    inputs, targets = (torch.stack(parts) for parts in zip(*batches, strict=True))
    repeated = theta.detach().repeat(len(batches), 1).requires_grad_()
    try:
        total = torch.func.vmap(loss)(repeated, inputs, targets).sum()
        gradients = differentiate(total, repeated, create_graph=True)
        return gradients.detach(), differentiate(gradients, repeated, gradients.detach())
    except RuntimeError:  # some operations cannot be vectorised; other errors recur batch by batch
        return None


def _alone(loss: Loss, theta: Tensor, batches: list[Chunk], chunk_size: int | None) -> tuple[Tensor, Tensor]:
    """Gradients (b, p) and products H_m g_m (b, p), batch by batch."""
    pairs = []
    for inputs, targets in batches:
        size = chunk_size or len(targets)
        operator = Hessian(loss, theta, zip(inputs.split(size), targets.split(size), strict=True))
        pairs.append((operator.gradient, operator.product(operator.gradient)))
    gradients, products = zip(*pairs, strict=True)
    return torch.stack(gradients), torch.stack(products)
