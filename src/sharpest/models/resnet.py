"""Pre-activation ResNet, with or without batch normalisation (inventory 5.2, 5.3)."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharpest.config.architectures import ResNetSettings
from sharpest.models.build import batch_norm, glorot_uniform


def _convolution(inputs: int, outputs: int, kernel: int, stride: int, scale: float, rng: torch.Generator) -> nn.Conv2d:
    """A convolution with truncated normal weights of standard deviation sqrt(2 * scale / fan_in) after truncation."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2 if stride == 1 else 0)
    fan_in = inputs * kernel**2
    # truncation at two standard deviations multiplies the deviation by 0.8796; Keras 2.2.0-2.2.5 divide by it first
    nominal = math.sqrt(2 * scale / fan_in) / 0.87962566103423978
    nn.init.trunc_normal_(layer.weight, std=nominal, a=-2 * nominal, b=2 * nominal, generator=rng)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _normalisation(settings: ResNetSettings, channels: int) -> nn.Module:
    return batch_norm(channels, settings.running_momentum, nn.BatchNorm2d) if settings.batch_norm else nn.Identity()


class _Block(nn.Module):
    """[Normalisation,] ReLU, 3x3, [normalisation,] ReLU, 3x3, plus the block's input or its 1x1 projection."""

    def __init__(
        self, settings: ResNetSettings, inputs: int, outputs: int, stride: int, scale: float, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.stride = stride
        self.norms = nn.ModuleList(_normalisation(settings, channels) for channels in (inputs, outputs))
        self.first = _convolution(inputs, outputs, 3, stride, scale, rng)
        self.second = _convolution(outputs, outputs, 3, 1, scale, rng)
        self.shortcut = _convolution(inputs, outputs, 1, stride, scale, rng) if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        active = functional.relu(self.norms[0](x))
        if self.stride > 1:
            # with stride 2, TensorFlow's "same" pads only the bottom and the right
            active = functional.pad(active, (0, 1, 0, 1))
        change = self.second(functional.relu(self.norms[1](self.first(active))))
        return change + (x if self.shortcut is None else self.shortcut(x))  # type: ignore[no-any-return]


class ResNet(nn.Module):
    """Stem, stages of residual blocks, [normalisation,] ReLU, average pool, dense layer.

    Args:
        settings: Blocks per stage, widths, batch normalisation. The init scale c is 1 with batch normalisation, and one
            over the number of residual blocks without.
        image_shape: (channels, height, width) of the inputs; sides divisible by the total stride.
        num_classes: Number of outputs.
        rng: Draws the weights (Glorot-uniform in the dense layer); biases start at zero.

    Source: inventory 5.2, 5.3.
    """

    def __init__(
        self, settings: ResNetSettings, image_shape: tuple[int, ...], num_classes: int, rng: torch.Generator
    ) -> None:
        super().__init__()
        scale = 1.0 if settings.batch_norm else 1 / (settings.blocks_per_stage * len(settings.widths))
        channels = settings.widths[0]
        self.stem = _convolution(image_shape[0], channels, 3, 1, scale, rng)
        blocks: list[nn.Module] = []
        for stage, width in enumerate(settings.widths):
            for block in range(settings.blocks_per_stage):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(_Block(settings, channels, width, stride, scale, rng))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.norm = _normalisation(settings, channels)
        self.classifier = nn.Linear(channels, num_classes)
        glorot_uniform(self.classifier, rng)

    def forward(self, images: Tensor) -> Tensor:
        """(n, c, h, w) images to (n, classes) logits."""
        features = functional.relu(self.norm(self.blocks(self.stem(images))))
        return self.classifier(features.mean(dim=(2, 3)))  # type: ignore[no-any-return]


def build(
    settings: Mapping[str, Any], input_shape: tuple[int, ...], num_classes: int, batch_size: int, rng: torch.Generator
) -> ResNet:
    """The model for ``sharpest.models.build.build_model``."""
    return ResNet(ResNetSettings.model_validate(settings), input_shape, num_classes, rng)
