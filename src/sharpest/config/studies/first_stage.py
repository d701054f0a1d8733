"""Runs that branch off one run at different times, where the learning rate drops (Fig. 12)."""

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from sharpest.config.studies.base import Curve, Study


class FirstStage(Study):
    """Runs that branch off one run at different times, where the learning rate drops (Fig. 12)."""

    always_reads: ClassVar[tuple[str, ...]] = ("spectra", "history")
    kind: Literal["first_stage"]
    trunk: Curve
    """The run that all branches leave."""
    branches: tuple[Curve, ...] = Field(min_length=1)
    """The branches, earliest first."""
    smoothing: PositiveInt
    """Epochs over which accuracies are averaged."""


STUDY = FirstStage
