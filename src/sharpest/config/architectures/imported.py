"""Settings of the net behind imported checkpoints."""

from typing import ClassVar, Literal

from sharpest.config.architectures.base import Architecture


class ImportedNetSettings(Architecture):
    """Your own net and loss, for imported checkpoints (docs/import.md)."""

    reads: ClassVar[str] = "imported"

    kind: Literal["imported"]
    net: str
    """module:name of the function that returns the net."""
    loss: str
    """module:name of ``loss(model, batch)``, the mean over the batch."""
