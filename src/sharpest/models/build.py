"""Build the model of a run, with its initial weights, from settings."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch
from torch import nn

from sharpest.config import architecture_module
from sharpest.data.randomness import generator


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
