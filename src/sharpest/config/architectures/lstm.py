"""Settings of the LSTM."""

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from sharpest.config.architectures.base import Architecture


class LstmSettings(Architecture):
    """Language model of an embedding, LSTM layers and a softmax over the vocabulary (inventory 5.5)."""

    reads: ClassVar[str] = "tokens"

    kind: Literal["lstm"]
    width: PositiveInt
    """Units of the embedding and of each layer."""
    num_layers: PositiveInt
    """Number of LSTM layers."""
    dropout: float = Field(ge=0, lt=1)
    """Share of units dropped after the embedding and after each layer."""
