"""The training loop: the updates within an epoch, and the end of the epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.config.run import RunSettings
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import FACTOR, TrainingState
from sharpest.trajectory.steps import adam_change, nudge, rmsprop_change, sgd_change

if TYPE_CHECKING:  # SGD trains without the eigensolver, so a change of it must not make SGD runs stale
    from sharpest.curvature.lanczos import Eigenpairs

# problem bound to the state's buffers, theta (p,), iteration, sum of the last eigenvectors (p,) -> eigenpairs
DirectionSolver: TypeAlias = "Callable[[Problem, Tensor, int, Tensor], Eigenpairs]"


@dataclass
class EpochLog:
    """Loss, accuracy and clipping of each update of an epoch, kept on the device until the epoch ends."""

    losses: list[Tensor] = field(default_factory=list)
    correct: list[Tensor] = field(default_factory=list)
    cut: list[Tensor] = field(default_factory=list)

    def add(self, loss: Tensor, correct: Tensor, cut: Tensor) -> None:
        """Record one update."""
        self.losses.append(loss)
        self.correct.append(correct)
        self.cut.append(cut)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Each list as an array (u,), for u >= 1 updates."""
        return {name: torch.stack(values).cpu().numpy() for name, values in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], device: torch.device) -> EpochLog:
        """A log from its arrays, as made by ``arrays``; arrays of other names are ignored."""
        lists = {entry.name: list(torch.from_numpy(arrays[entry.name]).to(device)) for entry in fields(cls)}
        return cls(**lists)


def advance(
    problem: Problem,
    state: TrainingState,
    iteration: int,
    log: EpochLog,
    solver: DirectionSolver | None,
    on_refresh: Callable[[int, Eigenpairs, float], None] | None = None,
    deadline: float = math.inf,
) -> TrainingState:
    """Train to a later iteration within the same epoch (its end included), or until the deadline.

    Args:
        problem: The run.
        state: The current state; not changed.
        iteration: Where to stop.
        log: Receives loss, accuracy and clipping of each update.
        solver: Computes the directions along which the step is scaled; None for SGD.
        on_refresh: Called when directions are computed, with iteration, eigenpairs and loss (NaN if not recorded).
        deadline: Stop after the first update that ends at or after this time of ``time.monotonic``.
    """
    settings, nudged = problem.settings, problem.settings.nudge
    theta, directions, solver_start = state.theta.clone(), state.directions, state.solver_start
    buffers, moments = state.buffers.clone(), _Moments.of(state, settings)
    for step in range(state.iteration, iteration):
        if step % settings.steps_per_epoch == 0:
            buffers = problem.model.start_epoch(buffers)
        if nudged and _is_due(step, settings):
            assert solver is not None  # ensured by the caller
            pairs = solver(problem.at(buffers), theta, step, solver_start)
            solver_start = pairs.eigenvectors.sum(dim=0)
            if not nudged.fixed or step == settings.start:
                directions = pairs.eigenvectors[: nudged.num_directions]
            if on_refresh is not None:
                on_refresh(step, pairs, _refresh_loss(problem.at(buffers), theta))
        gradient, *values = problem.training_gradient(theta, buffers, step)
        log.add(*values)
        moments = _update(theta, gradient, moments, directions, state.lr, settings)
        if time.monotonic() >= deadline:
            iteration = step + 1
            break
    return replace(
        state,
        iteration=iteration,
        theta=theta,
        buffers=buffers,
        **moments.kept(),
        # a copy, because a view would keep the solver's whole block alive
        directions=None if directions is None else directions.clone(),
        solver_start=solver_start,
    )


@dataclass(frozen=True)
class _Moments:
    """Moments of earlier gradients: (p,) each, None if the optimizer does not use them."""

    first: Tensor | None
    second: Tensor | None
    updates: int

    @classmethod
    def of(cls, state: TrainingState, settings: RunSettings) -> _Moments:
        first = state.velocity if settings.has_velocity else None
        return cls(first, state.second_moment if settings.is_adaptive else None, state.updates)

    def kept(self) -> dict[str, Any]:
        """The moments as fields of a state."""
        moments = {"velocity": self.first, "second_moment": self.second}
        return {"updates": self.updates, **{name: value for name, value in moments.items() if value is not None}}


def _update(
    theta: Tensor, gradient: Tensor, before: _Moments, directions: Tensor | None, lr: float, settings: RunSettings
) -> _Moments:
    """Update theta (p,) in place by one step; returns the next moments."""
    if settings.is_adaptive:
        return _adaptive_update(theta, gradient, before, lr, settings)
    nudged, velocity = settings.nudge, before.first

    def scaled(vector: Tensor) -> Tensor:
        assert nudged is not None
        assert directions is not None  # a run begins with a refresh
        return nudge(vector, directions, nudged.gamma, nudged.rest)

    if nudged and nudged.correction != "v":
        gradient = scaled(gradient)
    change = sgd_change(gradient, velocity, lr, settings.momentum)
    after = None if velocity is None else change
    if settings.nesterov:
        change = sgd_change(gradient, after, lr, settings.momentum)
    theta += scaled(change) if nudged and nudged.correction != "g" else change
    return _Moments(after, None, before.updates + 1)


def _adaptive_update(theta: Tensor, gradient: Tensor, before: _Moments, lr: float, settings: RunSettings) -> _Moments:
    """``_update`` for Adam, AdamW (which first shrinks theta) and RMSProp."""
    first, second, update = before.first, before.second, before.updates + 1
    assert second is not None  # adaptive optimizers have one
    if settings.weight_decay:
        theta *= 1 - lr * settings.weight_decay
    beta1, beta2, epsilon = settings.beta1, settings.beta2, settings.epsilon
    if first is None:
        change, second = rmsprop_change(gradient, second, lr, beta2, epsilon)
    else:
        change, first, second = adam_change(gradient, first, second, update, lr, beta1, beta2, epsilon)
    theta += change
    return _Moments(first, second, update)


def _is_due(step: int, settings: RunSettings) -> bool:
    """Whether directions are computed before an update."""
    assert settings.nudge is not None  # ensured by the caller
    if settings.nudge.refresh_every is None:
        return step % settings.steps_per_epoch == 0
    return (step - settings.start) % settings.nudge.refresh_every == 0


def _refresh_loss(problem: Problem, theta: Tensor) -> float:
    """The loss without L2 on the first training examples, not augmented; NaN if the run does not record it."""
    assert problem.settings.nudge is not None  # ensured by the caller
    count = problem.settings.nudge.loss_examples
    return float("nan") if count is None else problem.evaluate(theta, problem.data.train.first(count))[0]


def end_epoch(
    problem: Problem, state: TrainingState, log: EpochLog, validate: bool = True
) -> tuple[TrainingState, dict[str, float]]:
    """Close an epoch: check for divergence, validate, apply the plateau rule.

    Args:
        problem: The run.
        state: The state after the last update of the epoch.
        log: Losses, accuracies and clipping of the epoch.
        validate: False if nothing depends on validation (a replay at a constant learning rate).

    Returns:
        The state at the start of the next epoch, and the row of ``history.csv``.
    """
    losses = torch.stack(log.losses)
    nudged = problem.settings.nudge
    kept = nudged is not None and nudged.refresh_every is not None
    state = replace(
        state,
        directions=state.directions if kept else None,
        clipped=state.clipped + int(torch.stack(log.cut).sum()),
    )
    row = {
        "iteration": state.iteration,
        "epoch": state.iteration / problem.settings.steps_per_epoch,
        "lr": state.lr,
        "train_loss": float(losses.mean()),
        "train_accuracy": float(torch.stack(log.correct).mean()),
        "val_loss": float("nan"),
        "val_accuracy": float("nan"),
    }
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        return replace(state, diverged=state.iteration - len(losses) + int(bad[0])), row
    if not validate:
        return state, row
    row["val_loss"], row["val_accuracy"] = problem.at(state.buffers).evaluate(state.theta, problem.data.val)
    if not torch.isfinite(torch.tensor(row["val_loss"])):
        return replace(state, diverged=state.iteration), row
    best = state.rule.best_accuracy
    rule, cut, stop = state.rule.after_epoch(row["val_loss"], row["val_accuracy"])
    return replace(
        state,
        rule=rule,
        lr=state.lr * FACTOR if cut else state.lr,
        best_iteration=state.iteration if row["val_accuracy"] > best else state.best_iteration,
        stopped=stop,
    ), row
