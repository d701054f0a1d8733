"""The edge test: spikes of the loss after a change of settings, compared with measurements before the change."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from sharpest.config.studies.base import Curve, Input, Schedule, Study, settings_of
from sharpest.errors import ConfigError
from sharpest.results.edges import MEASURES


class EdgeTestStudy(Study):
    """The edge test: spikes of the loss after a change of settings, compared with measurements before the change."""

    always_reads: ClassVar[tuple[str, ...]] = MEASURES
    kind: Literal["edge_test"]
    rows: tuple[Curve, ...] = Field(min_length=1)
    """Runs, each with a schedule that takes all candidates at the points of its interventions."""

    def groups(self) -> list[tuple[str, Sequence[Curve]]]:
        return [(row.label, [row]) for row in self.rows]

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        if not settings_of("gradient_sample", schedule).full_curvature_batches:
            key = f"schedules.{schedule.name}.measures.gradient_sample.full_curvature_batches"
            raise ConfigError(f"gradient-noise interaction is a candidate; set {key} to at least 1")


STUDY = EdgeTestStudy
