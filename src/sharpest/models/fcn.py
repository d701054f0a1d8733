"""A fully connected net, of the kind used in later studies of sharpness."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sharpest.config.architectures import FcnSettings

_HIDDEN: dict[str, tuple[type[nn.Module], float]] = {"relu": (nn.ReLU, 2.0), "tanh": (nn.Tanh, 1.0)}
"""Activation -> its layer, and the gain of the weights that preserves the scale of activations."""


class FCN(nn.Module):
    """Dense layers with an activation between them, on flattened images.

    Args:
        settings: Widths, activation, scale of the last layer.
        image_shape: (channels, height, width) of the inputs.
        num_classes: Number of outputs.
        rng: Draws normal weights of variance gain / (inputs of the layer); biases start at zero.
    """

    def __init__(
        self, settings: FcnSettings, image_shape: tuple[int, ...], num_classes: int, rng: torch.Generator
    ) -> None:
        super().__init__()
        activation, gain = _HIDDEN[settings.activation]
        layers: list[nn.Module] = [nn.Flatten()]
        inputs = math.prod(image_shape)
        for width in settings.widths:
            layers += [_dense(inputs, width, gain, rng), activation()]
            inputs = width
        last = _dense(inputs, num_classes, 1.0, rng)
        with torch.no_grad():
            last.weight *= settings.output_scale
        self.layers = nn.Sequential(*layers, last)

    def forward(self, images: Tensor) -> Tensor:
        """(n, c, h, w) images to (n, classes) logits."""
        return self.layers(images)  # type: ignore[no-any-return]


def _dense(inputs: int, outputs: int, gain: float, rng: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=math.sqrt(gain / inputs), generator=rng)
    nn.init.zeros_(layer.bias)
    return layer


def build(
    settings: Mapping[str, Any], input_shape: tuple[int, ...], num_classes: int, batch_size: int, rng: torch.Generator
) -> FCN:
    """The model for ``sharpest.models.build.build_model``."""
    return FCN(FcnSettings.model_validate(settings), input_shape, num_classes, rng)
