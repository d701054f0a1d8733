"""The losses that are measured, as functions of the parameter vector."""

import torch
from torch import Tensor

from sharpest.data.dataset import Split
from sharpest.models.flat import FlatModel
from sharpest.trajectory.problem import Problem, chunks_of


def mean_loss(model: FlatModel, theta: Tensor, split: Split, chunk_size: int) -> Tensor:
    """Mean training loss with L2 over examples that pass in chunks, in nats.

    Args:
        model: The net.
        theta: (p,); everything runs in its dtype.
        split: n examples.
        chunk_size: Examples a pass; no effect but on memory and the last bits.

    Returns:
        A scalar, twice differentiable.
    """
    shares = [model.loss(theta, x, y) * (len(y) / len(split)) for x, y in chunks_of(split, chunk_size)]
    return torch.stack(shares).sum()


def clean_loss(problem: Problem, theta: Tensor, num_examples: int, chunk_size: int) -> Tensor:
    """Mean training loss with L2 over the first clean training examples: the loss of the alpha study and the profiles.

    Returns:
        A scalar in nats, twice differentiable.

    Source: inventory, Figure 6.
    """
    return mean_loss(problem.model, theta, problem.data.train.first(num_examples), chunk_size)
