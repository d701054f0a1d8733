"""Layers shared by several nets, with the initial weights of the paper's code."""

import torch
from torch import nn

EMBEDDING_LIMIT = 0.05  # Keras draws initial embeddings uniformly from -0.05 to 0.05
EPSILON = 1e-3  # Keras' value in batch normalisation; torch has 1e-5


def batch_norm_2d(channels: int, running_momentum: float) -> nn.BatchNorm2d:
    """Batch normalisation of (n, channels, h, w); ``running_momentum`` is the weight of a new batch in the averages.

    Source: inventory 5.3.
    """
    layer = nn.BatchNorm2d(channels, eps=EPSILON, momentum=running_momentum)
    layer.num_batches_tracked = None  # torch needs the count only without a momentum
    return layer


def batch_norm_1d(features: int, running_momentum: float) -> nn.BatchNorm1d:
    """Batch normalisation of (n, features); see ``batch_norm_2d``."""
    layer = nn.BatchNorm1d(features, eps=EPSILON, momentum=running_momentum)
    layer.num_batches_tracked = None
    return layer


def glorot_uniform(module: nn.Module, rng: torch.Generator) -> None:
    """Give every convolution and dense layer, in the module's order, Glorot-uniform weights and zero biases.

    Source: inventory 1.2.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=rng)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
