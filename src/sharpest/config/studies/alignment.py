"""Alignment of gradients with the top directions against training accuracy (Fig. 5)."""

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from sharpest.config.studies.base import Curve, Input, Panel, Schedule, Study, check_accuracy, settings_of
from sharpest.errors import ConfigError


class Alignment(Study):
    """Alignment of gradients with the top directions against training accuracy (Fig. 5)."""

    always_reads: ClassVar[tuple[str, ...]] = ("spectra", "directions")
    kind: Literal["alignment"]
    panels: tuple[Panel, ...] = Field(min_length=1)
    smoothing: PositiveInt
    """Number of points averaged along training."""

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        check_accuracy(schedule)
        if 1 not in settings_of("directions", schedule).indices:
            raise ConfigError(f"direction 1 is not in schedules.{schedule.name}.measures.directions.indices; add it")


STUDY = Alignment
