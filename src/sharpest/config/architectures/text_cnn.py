"""Settings of the convolutional net for reviews."""

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from sharpest.config.architectures.base import Architecture


class TextCnnSettings(Architecture):
    """Embedding, one convolution over words, max pooling over the review, dense layers (inventory 5.6)."""

    reads: ClassVar[str] = "reviews"

    kind: Literal["text_cnn"]
    embedding: PositiveInt
    """Units of the embedding."""
    filters: PositiveInt
    """Filters of the convolution over three words."""
    hidden: PositiveInt
    """Units of the dense layer."""
    dropout: float = Field(ge=0, lt=1)
    """Share of units dropped after the embedding and after the dense layer."""
