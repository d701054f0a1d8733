"""Branches whose steps are restricted to the top direction, or exclude it (Fig. 7)."""

from typing import ClassVar, Literal

from pydantic import Field

from sharpest.config.strict import Strict
from sharpest.config.studies.base import NamedRun, Study


class RestrictedPanel(Strict):
    """Two panels of Fig. 7: largest eigenvalue and loss of the same runs."""

    title: str
    """Beginning of both titles."""
    curves: tuple[NamedRun, ...] = Field(min_length=1)
    graded: bool = False
    """Colours from dark to light, for runs that differ in one number."""


class RestrictedSteps(Study):
    """Branches whose steps are restricted to the top direction, or exclude it (Fig. 7)."""

    always_reads: ClassVar[tuple[str, ...]] = ("snapshots",)
    kind: Literal["restricted_steps"]
    panels: tuple[RestrictedPanel, ...] = Field(min_length=1)


STUDY = RestrictedSteps
