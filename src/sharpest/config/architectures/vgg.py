"""Settings of VGG."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from sharpest.config.architectures.base import Architecture


class VggSettings(Architecture):
    """VGG-11 and its smaller relatives (inventory 5.4)."""

    reads: ClassVar[str] = "images"

    kind: Literal["vgg"]
    stages: tuple[Annotated[tuple[PositiveInt, ...], Field(min_length=1)], ...] = Field(min_length=1)
    """Channels of the 3x3 convolutions of each stage."""
    num_pools: PositiveInt
    """Stages, from the first, that end in a 2x2 pooling."""
    hidden: PositiveInt
    """Units of both dense layers."""
    dropout: float = Field(ge=0, lt=1)
    """Share of inputs that is dropped before each hidden dense layer."""
    batch_norm: bool
    """Batch normalisation of the image, after each convolution, and after each hidden dense layer."""
    running_momentum: float = Field(default=0.01, gt=0, le=1)
    """Share of a new batch in the running averages of batch normalisation."""
    image_size: PositiveInt | None = None
    """Side to resize images to; none = as they are."""

    @property
    def smallest_image(self) -> int:
        """Side of the smallest images that leave a pixel for the dense layers."""
        return 2**self.num_pools
