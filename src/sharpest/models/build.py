"""Build the model of a run, with its initial weights, from settings; layers that several nets share; nets of users."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import torch
from torch import nn

from sharpest.config import architecture_module
from sharpest.data.randomness import generator

EMBEDDING_LIMIT = 0.05  # Keras draws initial embeddings uniformly from -0.05 to 0.05
EPSILON = 1e-3  # Keras' value in batch normalisation; torch has 1e-5


def batch_norm(features: int, running_momentum: float, kind: type[nn.BatchNorm1d | nn.BatchNorm2d]) -> nn.Module:
    """Batch normalisation of (n, features) or of (n, features, h, w), by the kind of the layer.

    ``running_momentum`` is the weight of a new batch in the averages.

    Source: inventory 5.3.
    """
    layer = kind(features, eps=EPSILON, momentum=running_momentum)
    layer.num_batches_tracked = None  # torch needs the count only without a momentum
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


def build_model(
    settings: Mapping[str, Any], input_shape: tuple[int, ...], num_classes: int, seed: int, batch_size: int = 1
) -> nn.Module:
    """The model of a run; its initial weights depend only on the seed.

    Args:
        settings: Architecture and size, with the key ``kind``; ``init_scale`` multiplies the kernels of any net.
        input_shape: Shape of one example: (channels, height, width) after resizing, or (time, vocabulary) for words.
        num_classes: Number of outputs.
        seed: Seed of the run.
        batch_size: Examples per training batch; a recurrent net carries a state for each.
    """
    module = import_module(architecture_module(settings))
    model: nn.Module = module.build(settings, input_shape, num_classes, batch_size, generator(seed, "initialisation"))
    with torch.no_grad():
        for value in model.parameters():
            if value.dim() > 1:
                value.mul_(settings.get("init_scale", 1))
    return model


def builder(net: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """The function ``build`` for the module of a user's net.

    Args:
        net: Called with the image shape (channels, height, width), the number of classes and the options of the scale.
            The seed of the run determines its weights.
    """

    def build(
        settings: Mapping[str, Any],
        input_shape: tuple[int, ...],
        num_classes: int,
        batch_size: int,
        rng: torch.Generator,
    ) -> nn.Module:
        """The model for ``sharpest.models.build.build_model``."""
        from sharpest.config.architectures import OwnSettings  # needs pydantic, which the core lacks

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(rng.initial_seed())
            return net(input_shape, num_classes, **OwnSettings.model_validate(settings).options)

    return build
