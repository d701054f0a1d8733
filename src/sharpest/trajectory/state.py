"""The state of training, and the rule of the plateau."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.config.run import RunSettings
from sharpest.config.variants import scaled_rate
from sharpest.models.flat import FlatModel

THRESHOLD = 1e-4  # smallest improvement of the validation loss, absolute
FACTOR = 0.1


@dataclass(frozen=True)
class PlateauRule:
    """Cuts the learning rate when validation loss stalls; stops training when validation accuracy stalls.

    The first cut comes after ``patience`` + 1 epochs without improvement, each later cut after ``patience`` more,
    because Keras' callback counts the epoch of a cut towards the next cut.

    Attributes:
        patience: Epochs without a lower validation loss before a cut.
        stop_patience: Epochs without a strictly higher validation accuracy before the stop.
        best_loss: Lowest validation loss so far, nats.
        wait: Epochs counted towards the next cut.
        best_accuracy: Highest validation accuracy so far, a fraction.
        stop_wait: Epochs counted towards the stop.

    Source: Sec. 4; inventory 1.5.
    """

    patience: int
    stop_patience: int
    best_loss: float = math.inf
    wait: int = 0
    best_accuracy: float = -math.inf
    stop_wait: int = 0

    def after_epoch(self, val_loss: float, val_accuracy: float) -> tuple[PlateauRule, bool, bool]:
        """The rule after one more epoch, whether to cut the learning rate, and whether to stop."""
        rule, cut = self, False
        if val_loss < self.best_loss - THRESHOLD:
            rule = replace(rule, best_loss=val_loss, wait=0)
        else:
            cut = self.wait >= self.patience
            rule = replace(rule, wait=1 if cut else self.wait + 1)
        if val_accuracy > self.best_accuracy:
            rule = replace(rule, best_accuracy=val_accuracy, stop_wait=0)
        else:
            rule = replace(rule, stop_wait=self.stop_wait + 1)
        return rule, cut, rule.stop_wait >= self.stop_patience


# the columns of ``progress`` in a snapshots file, whose attribute ``progress`` lists them
PROGRESS = ("best_loss", "wait", "best_accuracy", "stop_wait", "best_iteration", "diverged", "clipped", "updates")


@dataclass(frozen=True)
class TrainingState:
    """A run after ``iteration`` updates.

    Attributes:
        iteration: Completed updates.
        theta: (p,) parameters.
        buffers: (b,), buffers of the net.
        velocity: (p,), the velocity of momentum, or Adam's first moment; empty without either.
        second_moment: (p,), second moment of Adam or RMSProp; empty for other optimizers.
        solver_start: (p,), sum of the last eigenvectors, from which the next eigensolve starts; empty for SGD.
        directions: (K, p), the current directions of NSGD; None if there are none, or if the next update computes them.
        lr: Learning rate of the next update.
        rule: Counters of the plateau rule; every run uses the best accuracy among them.
        best_iteration: The iteration of the highest validation accuracy; -1 before the first epoch has ended.
        diverged: The update whose loss was not finite; -1 if there is none.
        clipped: Number of updates whose gradient was clipped.
        updates: Number of updates that the moments have accumulated, each at its own batch size.
        stopped: Whether the plateau rule ended the run.
    """

    iteration: int
    theta: Tensor
    buffers: Tensor
    velocity: Tensor
    second_moment: Tensor
    solver_start: Tensor
    lr: float
    rule: PlateauRule
    directions: Tensor | None = None
    best_iteration: int = -1
    diverged: int = -1
    clipped: int = 0
    updates: int = 0
    stopped: bool = False

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The state as a row of a snapshots file."""
        progress = {**vars(self.rule), **vars(self)}
        directions = self.theta.new_empty(0, 0) if self.directions is None else self.directions
        return {
            "iteration": np.array(self.iteration),
            "theta": self.theta.cpu().numpy(),
            "buffers": self.buffers.cpu().numpy(),
            "directions": directions.cpu().numpy(),
            "velocity": self.velocity.cpu().numpy(),
            "second_moment": self.second_moment.cpu().numpy(),
            "solver_start": self.solver_start.cpu().numpy(),
            "lr": np.array(self.lr),
            "progress": np.array([progress[name] for name in PROGRESS], dtype=np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], settings: RunSettings, device: torch.device) -> TrainingState:
        """The state from a row of a snapshots file."""
        progress = dict(zip(PROGRESS, arrays["progress"].tolist(), strict=True))
        rule = new_rule(settings)
        kept = {field.name: progress[field.name] for field in fields(rule) if field.name in progress}
        counters = {name: int(kept[name]) for name in ("wait", "stop_wait")}

        def tensor(name: str) -> Tensor:
            return torch.from_numpy(np.array(arrays[name])).to(device)

        return cls(
            iteration=int(arrays["iteration"]),
            theta=tensor("theta"),
            buffers=tensor("buffers"),
            directions=tensor("directions") if arrays["directions"].size else None,
            velocity=tensor("velocity"),
            second_moment=tensor("second_moment"),
            solver_start=tensor("solver_start"),
            lr=float(arrays["lr"]),
            rule=replace(rule, **{**kept, **counters}),
            best_iteration=int(progress["best_iteration"]),
            diverged=int(progress["diverged"]),
            clipped=int(progress["clipped"]),
            updates=int(progress["updates"]),
        )


def new_rule(settings: RunSettings) -> PlateauRule:
    """The initial plateau rule; at a constant rate it never cuts or stops, and only tracks the best accuracy."""
    never = settings.epochs + 1
    return PlateauRule(settings.patience or never, settings.stop_patience or never)


def initial_state(settings: RunSettings, model: FlatModel) -> TrainingState:
    """The state of a run before its first update."""
    theta = model.initial()
    empty = theta.new_empty(0)
    return TrainingState(
        iteration=0,
        theta=theta,
        buffers=model.buffers.clone(),
        velocity=torch.zeros_like(theta) if settings.has_velocity else empty,
        second_moment=torch.zeros_like(theta) if settings.is_adaptive else empty,
        solver_start=torch.zeros_like(theta) if settings.nudge else empty,
        directions=_no_directions(settings, theta),
        lr=settings.lr,
        rule=new_rule(settings),
    )


def _no_directions(settings: RunSettings, theta: Tensor) -> Tensor | None:
    """Zeros (K, p) if states carry directions, which the first update computes; else None."""
    if settings.nudge is None or settings.nudge.refresh_every is None:
        return None
    return theta.new_zeros(settings.nudge.num_directions, len(theta))


def branch_state(settings: RunSettings, arrays: dict[str, NDArray[Any]], device: torch.device) -> TrainingState:
    """The state of a branch before its first update.

    Args:
        settings: The branch.
        arrays: The row of its parent's snapshots file at the branch point.
        device: Where the tensors go.
    """
    assert settings.branch is not None  # ensured by the caller
    parent = TrainingState.from_arrays(arrays, settings, device)
    state = changed_state(parent, settings, settings.start, settings.branch.lr_factor)
    return replace(
        state,
        solver_start=torch.zeros_like(state.theta) if settings.nudge else state.theta.new_empty(0),
        directions=_no_directions(settings, state.theta),
        rule=new_rule(settings),
        best_iteration=-1,
        clipped=0,
    )


def changed_state(state: TrainingState, settings: RunSettings, iteration: int, lr_factor: float) -> TrainingState:
    """The state from which training continues with other settings for the same net and data.

    Args:
        state: State under the old settings.
        settings: The new settings.
        iteration: Completed updates, as the new settings count them.
        lr_factor: Multiplies the learning rate.
    """
    velocity = state.velocity if settings.has_velocity else state.theta.new_empty(0)
    if settings.has_velocity and not len(velocity):
        velocity = torch.zeros_like(state.theta)
    return replace(state, iteration=iteration, velocity=velocity, lr=scaled_rate(state.lr, lr_factor))
