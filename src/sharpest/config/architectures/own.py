"""Settings of a user's own net."""

from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from sharpest.config.architectures.base import Architecture


class OwnSettings(Architecture):
    """Your own net (docs/your-own.md)."""

    reads: ClassVar[str] = "images"
    smallest_image: ClassVar[int] = 1

    kind: Literal["own"]
    net: str = Field(pattern=r"^[a-z]\w*$")
    """Name of its file in src/sharpest/models, without .py."""
    options: dict[str, Any] = Field(default={})
    """Arguments of its class besides the image shape and the number of classes."""
    image_size: PositiveInt | None = None
    """Side in pixels to which images are resized; none = not resized."""
