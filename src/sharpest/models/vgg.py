"""VGG-11: stages of convolutions and pooling, then two hidden dense layers (inventory 5.4)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sharpest.config.architectures import VggSettings
from sharpest.models.build import batch_norm, glorot_uniform


class VGG(nn.Module):
    """Convolutions (3x3, same) with ReLU, pooling after each stage; two dense layers with dropout; a dense layer.

    Batch normalisation, if on, applies to the image itself, and to every convolution and hidden dense layer before its
    ReLU.

    Args:
        settings: Stages, number of poolings, dense units, dropout, batch normalisation.
        image_shape: (channels, height, width) of the inputs.
        num_classes: Number of outputs.
        rng: Draws the Glorot-uniform weights; biases start at zero.

    Source: inventory 5.4.
    """

    def __init__(
        self, settings: VggSettings, image_shape: tuple[int, ...], num_classes: int, rng: torch.Generator
    ) -> None:
        super().__init__()
        channels, height, breadth = image_shape

        def norm(width: int, kind: type[nn.BatchNorm1d | nn.BatchNorm2d] = nn.BatchNorm2d) -> list[nn.Module]:
            return [batch_norm(width, settings.running_momentum, kind)] if settings.batch_norm else []

        features = norm(channels)
        for stage, widths in enumerate(settings.stages):
            for width in widths:
                features += [nn.Conv2d(channels, width, 3, padding="same"), *norm(width), nn.ReLU()]
                channels = width
            if stage < settings.num_pools:
                features.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*features)
        cut = 2**settings.num_pools
        inputs = channels * (height // cut) * (breadth // cut)
        dense: list[nn.Module] = []
        for _ in range(2):
            dense += [nn.Dropout(settings.dropout), nn.Linear(inputs, settings.hidden)]
            dense += [*norm(settings.hidden, nn.BatchNorm1d), nn.ReLU()]
            inputs = settings.hidden
        self.classifier = nn.Sequential(*dense, nn.Linear(inputs, num_classes))
        glorot_uniform(self, rng)

    def forward(self, images: Tensor) -> Tensor:
        """(n, c, h, w) images to (n, classes) logits."""
        return self.classifier(self.features(images).flatten(1))  # type: ignore[no-any-return]


def build(
    settings: Mapping[str, Any], input_shape: tuple[int, ...], num_classes: int, batch_size: int, rng: torch.Generator
) -> VGG:
    """The model for ``sharpest.models.build.build_model``."""
    return VGG(VggSettings.model_validate(settings), input_shape, num_classes, rng)
