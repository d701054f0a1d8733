"""What is run and measured, at which scale: typed, validated, free of torch."""

from sharpest.config.project import Project, load_project
from sharpest.config.settings import (
    DirectionSettings,
    HessianSettings,
    MeasurementSettings,
    RunSettings,
    ScheduleSettings,
)

__all__ = [
    "DirectionSettings",
    "HessianSettings",
    "MeasurementSettings",
    "Project",
    "RunSettings",
    "ScheduleSettings",
    "load_project",
]
