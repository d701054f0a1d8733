"""All that training needs to go on from an epoch start."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.config.run import RunSettings
from sharpest.models.flat import FlatModel
from sharpest.training.plateau import PlateauRule

# what the attribute ``progress`` of a snapshots file names
PROGRESS = ("best_loss", "wait", "best_accuracy", "stop_wait", "best_iteration", "diverged")


@dataclass(frozen=True)
class TrainingState:
    """A run after ``iteration`` updates.

    Attributes:
        iteration: Completed updates.
        theta: (p,) parameters.
        velocity: (p,), or empty without momentum.
        solver_start: (p,), sum of NSGD's last eigenvectors, from which its next solve starts; empty for SGD.
        directions: (K, p), NSGD's directions within an epoch; None at its start, where they are computed.
        lr: Learning rate of the next update.
        rule: Counters of the plateau rule; those of the best accuracy serve every run.
        best_iteration: Where validation accuracy was highest; -1 before the first epoch has ended.
        diverged: The update whose loss was not finite; -1 while there is none.
        stopped: Whether the plateau rule ended the run.
    """

    iteration: int
    theta: Tensor
    velocity: Tensor
    solver_start: Tensor
    lr: float
    rule: PlateauRule
    directions: Tensor | None = None
    best_iteration: int = -1
    diverged: int = -1
    stopped: bool = False

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As one row of a snapshots file."""
        progress = {**vars(self.rule), "best_iteration": self.best_iteration, "diverged": self.diverged}
        return {
            "iteration": np.array(self.iteration),
            "theta": self.theta.cpu().numpy(),
            "velocity": self.velocity.cpu().numpy(),
            "solver_start": self.solver_start.cpu().numpy(),
            "lr": np.array(self.lr),
            "progress": np.array([progress[name] for name in PROGRESS], dtype=np.float64),
        }

    @classmethod
    def from_arrays(
        cls, arrays: dict[str, NDArray[Any]], settings: RunSettings, device: torch.device
    ) -> "TrainingState":
        """Back from a row."""
        progress = dict(zip(PROGRESS, arrays["progress"].tolist(), strict=True))
        rule = new_rule(settings)
        kept = {field.name: progress[field.name] for field in fields(rule) if field.name in progress}
        counters = {name: int(kept[name]) for name in ("wait", "stop_wait")}

        def tensor(name: str) -> Tensor:
            return torch.from_numpy(np.array(arrays[name])).to(device)

        return cls(
            iteration=int(arrays["iteration"]),
            theta=tensor("theta"),
            velocity=tensor("velocity"),
            solver_start=tensor("solver_start"),
            lr=float(arrays["lr"]),
            rule=replace(rule, **{**kept, **counters}),
            best_iteration=int(progress["best_iteration"]),
            diverged=int(progress["diverged"]),
        )


def new_rule(settings: RunSettings) -> PlateauRule:
    """The plateau rule at the start; for a constant rate it never cuts or stops and only tracks the best accuracy."""
    never = settings.epochs + 1
    return PlateauRule(settings.patience or never, settings.stop_patience or never)


def initial_state(settings: RunSettings, model: FlatModel) -> TrainingState:
    """The run before its first update."""
    theta = model.initial()
    empty = theta.new_empty(0)
    return TrainingState(
        iteration=0,
        theta=theta,
        velocity=torch.zeros_like(theta) if settings.momentum else empty,
        solver_start=torch.zeros_like(theta) if settings.nsgd else empty,
        lr=settings.lr,
        rule=new_rule(settings),
        best_iteration=-1,
        diverged=-1,
    )
