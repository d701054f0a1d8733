"""The runs of a report, as described by their snapshot files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sharpest.config.run import RunSettings
from sharpest.config.sources.registry import SOURCES
from sharpest.results.stored import Snapshots, divergence


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        settings: Settings as trained at this scale.
        data: Name of the data that was used.
        num_directions, gamma: Settings of NSGD; None for SGD.
        epochs: Number of epochs trained, including those of the trunk.
        end: How training ended.
        diverged_epoch: Epoch of divergence; None if the run did not diverge.
        best_epoch: Epoch of the best validation accuracy.
        seconds: Wall time of training, without that of the trunk.
        origin: Attributes of the snapshot file.
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
    """Read a run from the attributes and a few numbers of its snapshots."""
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
