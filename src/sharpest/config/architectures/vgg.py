"""Settings of VGG."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from sharpest.config.architectures.base import Architecture


class VggSettings(Architecture):
    """VGG-11 and smaller variants of it (inventory 5.4)."""

    reads: ClassVar[str] = "images"

    kind: Literal["vgg"]
    stages: tuple[Annotated[tuple[PositiveInt, ...], Field(min_length=1)], ...] = Field(min_length=1)
    """Channels of the 3x3 convolutions of each stage."""
    num_pools: PositiveInt
    """Number of stages, from the first on, that end in 2x2 pooling."""
    hidden: PositiveInt
    """Units of both dense layers."""
    dropout: float = Field(ge=0, lt=1)
    """Share of inputs dropped before each hidden dense layer."""
    batch_norm: bool
    """Batch normalisation of the image, after each convolution, and after each hidden dense layer."""
    running_momentum: float = Field(default=0.01, gt=0, le=1)
    """Weight of a new batch in the running averages of batch normalisation."""
    image_size: PositiveInt | None = None
    """Side in pixels to which images are resized; none = not resized."""

    @property
    def smallest_image(self) -> int:
        """Side of the smallest images of which a pixel is left for the dense layers."""
        return 2**self.num_pools
