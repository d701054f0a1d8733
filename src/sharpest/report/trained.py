"""The runs behind a report, as their snapshots files describe them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sharpest.config.run import RunSettings
from sharpest.config.sources.registry import SOURCES
from sharpest.results.file import open_stored
from sharpest.results.snapshots import SNAPSHOTS


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


def read_run(path: Path) -> Run:
    """Read attributes and a few numbers of a snapshots file.

    Raises:
        StoreError: If it is missing, or no snapshots file.
    """
    with open_stored(path, SNAPSHOTS) as file:
        facts = file.attributes
        settings = RunSettings.model_validate(facts["config"])
        diverged = facts["diverged"] / settings.steps_per_epoch if facts["diverged"] >= 0 else None
        nudge = settings.nudge
        return Run(
            settings=settings,
            data=SOURCES[facts["dataset"]].title,
            num_directions=nudge.num_directions if nudge else None,
            gamma=nudge.gamma if nudge else None,
            epochs=float(file["epoch"][-1]),
            end=_end(diverged, bool(facts["stopped"])),
            diverged_epoch=diverged,
            best_epoch=float(file["epoch"][facts["best"]]),
            seconds=float(np.nansum(file["epoch_seconds"])),
            origin=facts,
        )


def _end(diverged: float | None, stopped: bool) -> str:
    if diverged is not None:
        return f"diverged at epoch {diverged:.3g}"
    return "stopped at the plateau" if stopped else "complete"
