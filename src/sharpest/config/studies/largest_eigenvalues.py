"""The one or two largest eigenvalues of runs that differ in one setting (Figs. 4, 10, 11, 13, 21)."""

from typing import Literal

from pydantic import Field, PositiveFloat

from sharpest.config.studies.base import Curve, Input, Panel, Schedule, Study, check_num_eigenvalues, check_window


class EigenvalueCurve(Curve):
    """One measured run in a panel of eigenvalues."""

    colour: Literal["red", "green", "blue"] | None = None
    """The first, second or third of three colours from dark to light, by the paper's name; none = by its place."""


class EigenvaluePanel(Panel):
    """One panel of Fig. 4: runs that differ in one setting."""

    curves: tuple[EigenvalueCurve, ...] = Field(min_length=1)


class LargestEigenvalues(Study):
    """The one or two largest eigenvalues of runs that differ in one setting (Figs. 4, 10, 11, 13, 21)."""

    kind: Literal["largest_eigenvalues"]
    rows: tuple[tuple[EigenvaluePanel, ...], ...] = Field(min_length=1)
    """The panels, row by row."""
    num_eigenvalues: Literal[1, 2]
    """Number of largest eigenvalues drawn."""
    scale: Literal["log", "linear"]
    """Scale of the y axis."""
    composite: bool
    """Whether panels have two halves: the early window, and the whole run."""
    last_epoch: PositiveFloat | None = None
    """End of the x axis; none = end of the longest run."""

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        check_num_eigenvalues(self.num_eigenvalues, schedule)
        if self.composite:
            check_window(schedule)


STUDY = LargestEigenvalues
