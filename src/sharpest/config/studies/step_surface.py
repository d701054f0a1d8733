"""Loss change for scaled steps, and loss along a direction, over training (Figs. 6, 15-18, 20)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from sharpest.config.studies.base import Curve, Input, Schedule, Study, settings_of
from sharpest.errors import ConfigError


class StepCurve(Curve):
    """One measured run in a figure of the step."""

    change_limit: PositiveFloat
    """Y limit of the scatter panel, per cent."""


class StepSurface(Study):
    """Loss change for scaled steps, and loss along a direction, over training (Figs. 6, 15-18, 20)."""

    always_reads: ClassVar[tuple[str, ...]] = ("spectra", "directions")
    kind: Literal["step_surface"]
    rows: tuple[StepCurve, ...] = Field(min_length=1)
    direction: Annotated[int, Field(ge=-1)]
    """Number of the direction, as in the schedule's indices."""
    alphas: tuple[PositiveFloat, ...] = Field(min_length=1)
    """Scales of the step that are drawn."""
    grid_limit: PositiveFloat
    """Largest |k| drawn."""
    paper_points: PositiveInt = 110
    """Points of the study at the paper's scale; the legend's numbers are over the last 25, or the same fraction."""
    layout: Literal["row", "rows"]
    """All panels in one row (Fig. 6), or one row per run (Fig. 17)."""

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        measured, place = settings_of("directions", schedule), f"schedules.{schedule.name}.measures.directions"
        if self.direction not in measured.indices:
            raise ConfigError(f"direction {self.direction} is not in {place}.indices; add it")
        if missing := sorted(set(self.alphas) - set(measured.alphas)):
            raise ConfigError(f"alphas {missing} are not in {place}.alphas; add them")
        if self.grid_limit > max(measured.grid, default=0):
            raise ConfigError(f"grid_limit {self.grid_limit:g} exceeds {place}.grid; widen it")


STUDY = StepSurface
