"""The first steps of gradient descent over learning rates and widths: catapult and divergence."""

from typing import ClassVar, Literal

from pydantic import Field

from sharpest.config.studies.base import Curve, Study

FIRST_STEPS = "first_steps"
"""The measure that the study reads."""


class PhaseDiagram(Study):
    """The first steps of gradient descent over learning rates and widths: catapult and divergence."""

    always_reads: ClassVar[tuple[str, ...]] = (FIRST_STEPS,)
    kind: Literal["phase_diagram"]
    lines: tuple[Curve, ...] = Field(min_length=1)
    """Runs of fully connected nets of several widths, at whose first point the first steps are measured."""


STUDY = PhaseDiagram
