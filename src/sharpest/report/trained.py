"""The runs behind a report, as their snapshots files describe them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sharpest.config.run import RunSettings
from sharpest.config.sources.registry import SOURCES
from sharpest.results.states import Snapshots
from sharpest.results.stored import divergence


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        settings: As trained at this scale.
        data: Name of the data that was really used.
        num_directions, gamma: Of a step that is scaled along the sharpest directions; None for SGD.
        epochs: Trained, those of its trunk included.
        end: How it ended.
        diverged_epoch: None where it did not diverge.
        best_epoch: That of the best validation accuracy.
        seconds: Of training, by the clock, without its trunk.
        origin: Attributes of its file.
    """

    settings: RunSettings
    data: str
    num_directions: int | None
    gamma: float | None
    epochs: float
    end: str
    diverged_epoch: float | None
    best_epoch: float
    seconds: float
    origin: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.settings.run


def trained_run(snapshots: Snapshots) -> Run:
    """A run from attributes and a few numbers of its snapshots."""
    attributes = snapshots.attributes
    settings = RunSettings.model_validate(attributes["config"])
    diverged = None if snapshots.diverged is None else snapshots.diverged / settings.steps_per_epoch
    nudge = settings.nudge
    return Run(
        settings=settings,
        data=SOURCES[attributes["dataset"]].title,
        num_directions=nudge.num_directions if nudge else None,
        gamma=nudge.gamma if nudge else None,
        epochs=float(snapshots["epoch"][-1]),
        end=divergence(diverged) or ("stopped at the plateau" if attributes["stopped"] else "complete"),
        diverged_epoch=diverged,
        best_epoch=float(snapshots["epoch"][attributes["best"]]),
        seconds=float(np.nansum(snapshots["epoch_seconds"])),
        origin=attributes,
    )
