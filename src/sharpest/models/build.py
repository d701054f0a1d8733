"""From settings to a model with the run's initial weights."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from torch import nn

from sharpest.config.architectures import architecture_module
from sharpest.randomness import generator


def build_model(settings: Mapping[str, Any], image_shape: tuple[int, ...], num_classes: int, seed: int) -> nn.Module:
    """The model of a run, initialised by its seed alone.

    Args:
        settings: Architecture and size, with the key ``kind``.
        image_shape: (channels, height, width) after resizing.
        num_classes: Outputs.
        seed: Seed of the run.
    """
    module = import_module(architecture_module(settings))
    model: nn.Module = module.build(settings, image_shape, num_classes, generator(seed, "initialisation"))
    return model
