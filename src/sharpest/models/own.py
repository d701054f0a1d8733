"""Users' nets: plain torch modules with torch's own initial weights."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from sharpest.config.architectures import OwnSettings


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
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(rng.initial_seed())
            return net(input_shape, num_classes, **OwnSettings.model_validate(settings).options)

    return build
