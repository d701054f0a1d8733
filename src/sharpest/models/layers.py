"""Layers that several nets share, with the initial weights of the paper's code."""

import torch
from torch import nn

EMBEDDING_LIMIT = 0.05  # of Keras' uniform initial embeddings
EPSILON = 1e-3  # of Keras' batch normalisation; torch has 1e-5


def batch_norm_2d(channels: int, running_momentum: float) -> nn.BatchNorm2d:
    """Batch normalisation of (n, channels, h, w), whose running averages take up a share of each new batch.

    Source: inventory 5.3.
    """
    layer = nn.BatchNorm2d(channels, eps=EPSILON, momentum=running_momentum)
    layer.num_batches_tracked = None  # only averages without a momentum count their batches
    return layer


def batch_norm_1d(features: int, running_momentum: float) -> nn.BatchNorm1d:
    """Batch normalisation of (n, features); see :func:`batch_norm_2d`."""
    layer = nn.BatchNorm1d(features, eps=EPSILON, momentum=running_momentum)
    layer.num_batches_tracked = None
    return layer


def glorot_uniform(module: nn.Module, rng: torch.Generator) -> None:
    """Glorot-uniform weights and zero biases for every convolution and dense layer, in the order of the module.

    Source: inventory 1.2.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=rng)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
