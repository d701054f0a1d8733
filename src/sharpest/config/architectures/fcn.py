"""Settings of the fully connected net."""

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from sharpest.config.architectures.base import Architecture


class FcnSettings(Architecture):
    """Fully connected net on flattened images."""

    reads: ClassVar[str] = "images"
    smallest_image: ClassVar[int] = 1

    kind: Literal["fcn"]
    widths: tuple[PositiveInt, ...]
    """Units of each hidden layer; an empty list = a linear net."""
    activation: Literal["relu", "tanh"]
    """Activation of the hidden layers."""
    output_scale: NonNegativeFloat = Field(default=1)
    """Multiplies the initial weights of the last layer; 0 = all outputs start at zero."""
    image_size: PositiveInt | None = None
    """Side in pixels to which images are resized; none = not resized."""
