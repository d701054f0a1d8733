"""Settings of SimpleCNN."""

from typing import ClassVar, Literal

from pydantic import PositiveInt

from sharpest.config.architectures.base import Architecture


class SimpleCnnSettings(Architecture):
    """SimpleCNN (inventory 5.1)."""

    reads: ClassVar[str] = "images"

    kind: Literal["simple_cnn"]
    width: PositiveInt
    """Filters of the first two convolutions."""
    kernel_size: Literal[3, 5]
    """Side of every kernel."""
    padding: Literal["valid", "same"]
    """Padding of the second and fourth convolution."""
    hidden: PositiveInt
    """Units of the dense layer."""
    image_size: PositiveInt | None = None
    """Side in pixels to which images are resized; none = not resized."""

    @property
    def smallest_image(self) -> int:
        """Side of the smallest images of which a pixel is left for the dense layers."""
        cut = self.kernel_size - 1 if self.padding == "valid" else 0
        return 2 * (2 + cut) + cut
