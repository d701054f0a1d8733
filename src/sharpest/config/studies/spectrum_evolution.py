"""Eigenvalues along training, whole run and early window (Figs. 1, 2, 3, 9)."""

from typing import Literal

from pydantic import Field, PositiveInt

from sharpest.config.studies.base import (
    Curve,
    Input,
    Schedule,
    Study,
    check_accuracy,
    check_num_eigenvalues,
    check_window,
)


class SpectrumEvolution(Study):
    """Eigenvalues along training, whole run and early window (Figs. 1, 2, 3, 9)."""

    kind: Literal["spectrum_evolution"]
    rows: tuple[Curve, ...] = Field(min_length=1)
    num_eigenvalues: PositiveInt
    """Number of largest eigenvalues drawn."""
    scale: Literal["linear", "symlog"] = "linear"
    """Scale of the axis of eigenvalues; symlog = logarithmic, but linear between -1 and 1."""
    accuracy: bool = False
    """Adds accuracy panels."""
    sketch: bool = False
    """Adds the schematic bowl of Fig. 1."""
    early: bool = True
    """Adds panels of the early window."""
    layout: Literal["row", "rows"] = "rows"
    """All panels in one row (Fig. 3), or one row per run (Fig. 2)."""
    steps_axis: bool = False
    """Adds a second x axis, in iterations."""

    def check(self, curve: Curve | Input, schedule: Schedule) -> None:
        super().check(curve, schedule)
        check_num_eigenvalues(self.num_eigenvalues, schedule)
        if self.early:
            check_window(schedule)
        if self.accuracy:
            check_accuracy(schedule)


STUDY = SpectrumEvolution
