"""The losses that are measured, as functions of the parameter vector."""

import torch
from torch import Tensor

from sharpest.models.flat import FlatModel
from sharpest.training.problem import Problem


def mean_loss(model: FlatModel, theta: Tensor, inputs: Tensor, targets: Tensor, chunk_size: int) -> Tensor:
    """Mean training loss with L2 over examples that pass in chunks, in nats.

    Args:
        model: The net.
        theta: (p,); everything runs in its dtype.
        inputs, targets: (n, ...), (n,).
        chunk_size: Examples a pass; no effect but on memory and the last bits.

    Returns:
        A scalar, twice differentiable.
    """
    pairs = zip(inputs.split(chunk_size), targets.split(chunk_size), strict=True)
    return torch.stack([model.loss(theta, x, y) * (len(y) / len(targets)) for x, y in pairs]).sum()


def clean_loss(problem: Problem, theta: Tensor, num_examples: int, chunk_size: int) -> Tensor:
    """Mean training loss with L2 over the first clean training examples: the loss of the alpha study and the profiles.

    Returns:
        A scalar in nats, twice differentiable.

    Source: inventory, Figure 6.
    """
    split = problem.data.train.first(num_examples)
    return mean_loss(problem.model, theta, split.inputs, split.targets, chunk_size)
