"""The first steps of gradient descent over learning rates and widths: catapult and divergence."""

from typing import Literal

from pydantic import Field, PositiveInt

from sharpest.config.studies.base import Curve, Study

FIRST_STEPS = "first_steps"
"""The measure that is read."""


class WidthLine(Curve):
    """One run at its start, at whose first point the first steps are measured."""

    width: PositiveInt
    """Of its net, as the scale's model has it; runs of one width are one point."""


class PhaseDiagram(Study):
    """The first steps of gradient descent over learning rates and widths: catapult and divergence."""

    kind: Literal["phase_diagram"]
    lines: tuple[WidthLine, ...] = Field(min_length=1)

    @property
    def reads(self) -> tuple[str, ...]:
        return (FIRST_STEPS,)

    def curves(self) -> list[Curve]:
        return list(self.lines)


STUDY = PhaseDiagram
