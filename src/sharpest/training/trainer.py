"""The training loop: updates within an epoch, and what happens at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from sharpest.training.plateau import FACTOR
from sharpest.training.problem import Problem
from sharpest.training.state import TrainingState
from sharpest.training.steps import nudge, sgd_change

if TYPE_CHECKING:  # SGD trains without the eigensolver, and is not stale when that changes
    from sharpest.curvature.lanczos import Eigenpairs

# theta (p,), iteration, sum of the last eigenvectors (p,) -> eigenpairs
DirectionSolver: TypeAlias = "Callable[[Tensor, int, Tensor], Eigenpairs]"


@dataclass
class EpochLog:
    """Losses and correct answers of the updates of one epoch, kept on the device until the epoch ends."""

    losses: list[Tensor] = field(default_factory=list)
    correct: list[Tensor] = field(default_factory=list)
    num_examples: int = 0


def advance(
    problem: Problem,
    state: TrainingState,
    iteration: int,
    log: EpochLog,
    solver: DirectionSolver | None,
    on_refresh: Callable[[int, Eigenpairs], None] | None = None,
) -> TrainingState:
    """Train on to an iteration of the same epoch (its end included).

    Args:
        problem: The run.
        state: Where it stands; not changed.
        iteration: Where to stop.
        log: Receives the loss of each update.
        solver: Computes NSGD's directions; None for SGD.
        on_refresh: Told the eigenpairs when NSGD computes its directions, at the start of an epoch.
    """
    settings = problem.settings
    theta, directions, solver_start = state.theta.clone(), state.directions, state.solver_start
    velocity = state.velocity if settings.momentum else None
    for step in range(state.iteration, iteration):
        if settings.nsgd and step % settings.steps_per_epoch == 0:
            assert solver is not None  # the caller's duty
            pairs = solver(theta, step, solver_start)
            directions = pairs.eigenvectors[: settings.nsgd.num_directions]
            solver_start = pairs.eigenvectors.sum(dim=0)
            if on_refresh is not None:
                on_refresh(step, pairs)
        batch = problem.stream.batch(step)
        gradient, loss, correct = problem.gradient(theta, batch)
        log.losses.append(loss)
        log.correct.append(correct)
        log.num_examples += len(batch)
        change = sgd_change(gradient, velocity, state.lr, settings.momentum)
        if velocity is not None:
            velocity = change
        if settings.nsgd:
            assert directions is not None  # an epoch begins with a refresh
            change = nudge(change, directions, settings.nsgd.gamma)
        theta += change
    return replace(
        state,
        iteration=iteration,
        theta=theta,
        velocity=state.velocity if velocity is None else velocity,
        directions=directions,
        solver_start=solver_start,
    )


def end_epoch(
    problem: Problem, state: TrainingState, log: EpochLog, validate: bool = True
) -> tuple[TrainingState, dict[str, float]]:
    """Close an epoch: look for divergence, validate, apply the plateau rule.

    Args:
        problem: The run.
        state: At the last update of the epoch.
        log: The epoch's losses.
        validate: False where nothing depends on it (a replay at a constant learning rate).

    Returns:
        The state at the start of the next epoch, and the row of ``history.csv``.
    """
    losses = torch.stack(log.losses)
    row = {
        "iteration": state.iteration,
        "epoch": state.iteration / problem.settings.steps_per_epoch,
        "lr": state.lr,
        "train_loss": float(losses.mean()),
        "train_accuracy": float(torch.stack(log.correct).sum()) / log.num_examples,
        "val_loss": float("nan"),
        "val_accuracy": float("nan"),
    }
    state = replace(state, directions=None)
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        return replace(state, diverged=state.iteration - len(losses) + int(bad[0])), row
    if not validate:
        return state, row
    row["val_loss"], row["val_accuracy"] = problem.evaluate(state.theta, problem.data.val)
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
