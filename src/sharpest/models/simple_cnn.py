"""SimpleCNN: four convolutions, two poolings, two dense layers (inventory 5.1)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sharpest.config.architectures import SimpleCnnSettings
from sharpest.models.build import glorot_uniform


class SimpleCNN(nn.Module):
    """The paper's small convolutional net; the paper's code does not pad the second and fourth convolutions.

    Args:
        settings: Width, kernel, padding, dense units.
        image_shape: (channels, height, width) of the inputs.
        num_classes: Number of outputs.
        rng: Draws the Glorot-uniform weights; biases start at zero.

    Source: inventory 5.1.
    """

    def __init__(
        self, settings: SimpleCnnSettings, image_shape: tuple[int, ...], num_classes: int, rng: torch.Generator
    ) -> None:
        super().__init__()
        channels, *sides = image_shape
        width, kernel = settings.width, settings.kernel_size
        cut = kernel - 1 if settings.padding == "valid" else 0
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, kernel, padding="same"),
            nn.ReLU(),
            nn.Conv2d(width, width, kernel, padding=settings.padding),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, kernel, padding="same"),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, kernel, padding=settings.padding),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        height, breadth = (((side - cut) // 2 - cut) // 2 for side in sides)
        self.classifier = nn.Sequential(
            nn.Linear(2 * width * height * breadth, settings.hidden),
            nn.ReLU(),
            nn.Linear(settings.hidden, num_classes),
        )
        glorot_uniform(self, rng)

    def forward(self, images: Tensor) -> Tensor:
        """(n, c, h, w) images to (n, classes) logits."""
        return self.classifier(self.features(images).flatten(1))  # type: ignore[no-any-return]


def build(
    settings: Mapping[str, Any], input_shape: tuple[int, ...], num_classes: int, batch_size: int, rng: torch.Generator
) -> SimpleCNN:
    """The model for ``sharpest.models.build.build_model``."""
    return SimpleCNN(SimpleCnnSettings.model_validate(settings), input_shape, num_classes, rng)
