"""Training and validation accuracy of measured runs (Fig. 14)."""

from typing import Literal

from pydantic import Field

from sharpest.config.studies.base import Curve, Input, Schedule, Study, check_accuracy


class LearningCurves(Study):
    """Training and validation accuracy of measured runs (Fig. 14)."""

    kind: Literal["learning_curves"]
    panels: tuple[Curve, ...] = Field(min_length=1)

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        check_accuracy(schedule)


STUDY = LearningCurves
