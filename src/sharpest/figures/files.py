"""What a figure is drawn from."""

from dataclasses import dataclass, field
from pathlib import Path

from sharpest.config.studies.base import Curve
from sharpest.errors import ConfigError


@dataclass(frozen=True)
class FigureFiles:
    """The files behind a figure; a list is empty where the study does not want it.

    Attributes:
        spectra: Spectrum files, one a curve of ``study.curves()``.
        directions: Directions files, one a curve.
        snapshots: Snapshots files, one a run of ``study.runs()``.
        histories: Tables ``history.csv``, one a run.
        evaluations: Evaluation files, one a run.
        windows: Early windows in epochs, one a curve; None where the schedule has none.
    """

    spectra: list[Path] = field(default_factory=list)
    directions: list[Path] = field(default_factory=list)
    snapshots: list[Path] = field(default_factory=list)
    histories: list[Path] = field(default_factory=list)
    evaluations: list[Path] = field(default_factory=list)
    windows: list[float | None] = field(default_factory=list)


def early_window(curve: Curve, window: float | None) -> float:
    """The early window of a curve that is drawn apart.

    Raises:
        ConfigError: If its schedule has none.
    """
    if window is None:
        raise ConfigError(f"schedules.{curve.schedule} has no window_epochs, which the early panel needs; add it")
    return window
