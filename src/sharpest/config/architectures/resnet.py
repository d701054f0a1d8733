"""Settings of the ResNet."""

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from sharpest.config.architectures.base import Architecture


class ResNetSettings(Architecture):
    """Pre-activation ResNet, with or without batch normalisation (inventory 5.2, 5.3)."""

    reads: ClassVar[str] = "images"

    kind: Literal["resnet"]
    blocks_per_stage: PositiveInt
    """Residual blocks in each stage."""
    widths: tuple[PositiveInt, ...] = Field(min_length=1)
    """Channels of each stage."""
    batch_norm: bool = False
    """Batch normalisation before each ReLU."""
    running_momentum: float = Field(default=0.01, gt=0, le=1)
    """Weight of a new batch in the running averages of batch normalisation."""
    image_size: PositiveInt | None = None
    """Side in pixels to which images are resized; none = not resized."""

    @property
    def smallest_image(self) -> int:
        """Side of the smallest images of which a pixel is left to average."""
        return 2 ** (len(self.widths) - 1)
