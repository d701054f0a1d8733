"""Settings of a net behind checkpoints of others."""

from typing import ClassVar, Literal

from sharpest.config.architectures.base import Architecture


class ImportedNetSettings(Architecture):
    """A net and a loss of your own, behind checkpoints of others (docs/import.md)."""

    reads: ClassVar[str] = "imported"

    kind: Literal["imported"]
    net: str
    """module:name of the function that gives the net."""
    loss: str
    """module:name of ``loss(model, batch)``, the mean over the batch."""
