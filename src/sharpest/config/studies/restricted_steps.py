"""Branches whose steps are restricted to the top direction, or exclude it (Fig. 7)."""

from typing import Literal

from pydantic import Field

from sharpest.config.strict import Strict
from sharpest.config.studies.base import Curve, NamedRun, Study


class RestrictedPanel(Strict):
    """Two panels of Fig. 7: largest eigenvalue and loss of the same runs."""

    title: str
    """Beginning of both titles."""
    curves: tuple[NamedRun, ...] = Field(min_length=1)
    graded: bool = False
    """Colours from dark to light, for runs that differ in one number."""


class RestrictedSteps(Study):
    """Branches whose steps are restricted to the top direction, or exclude it (Fig. 7)."""

    kind: Literal["restricted_steps"]
    panels: tuple[RestrictedPanel, ...] = Field(min_length=1)

    @property
    def reads(self) -> tuple[str, ...]:
        return ("snapshots",)

    def curves(self) -> list[Curve]:
        return []

    def runs(self) -> list[str]:
        # a run may be in several panels
        curves = (curve for panel in self.panels for drawn in panel.curves for curve in drawn.by_seed())
        return list(dict.fromkeys(curve.run for curve in curves))


STUDY = RestrictedSteps
