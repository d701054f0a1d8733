"""Alignment of gradients with the top directions against training accuracy (Fig. 5)."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, PositiveInt

from sharpest.config.strict import Strict
from sharpest.config.studies.base import Curve, Input, Schedule, Study, check_accuracy, settings_of
from sharpest.errors import ConfigError


class AlignmentPanel(Strict):
    """One panel of Fig. 5: a model at several learning rates."""

    title: str
    """Written above the panel."""
    curves: tuple[Curve, ...] = Field(min_length=1)


class Alignment(Study):
    """Alignment of gradients with the top directions against training accuracy (Fig. 5)."""

    kind: Literal["alignment"]
    panels: tuple[AlignmentPanel, ...] = Field(min_length=1)
    smoothing: PositiveInt
    """Number of points averaged along training."""

    @property
    def reads(self) -> tuple[str, ...]:
        return ("spectra", "directions")

    def curves(self) -> list[Curve]:
        return [curve for panel in self.panels for curve in panel.curves]

    def groups(self) -> list[tuple[str, Sequence[Curve]]]:
        return [(panel.title, panel.curves) for panel in self.panels]

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        check_accuracy(schedule)
        if 1 not in settings_of("directions", schedule).indices:
            raise ConfigError(f"direction 1 is not in schedules.{schedule.name}.measures.directions.indices; add it")


STUDY = Alignment
