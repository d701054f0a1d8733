"""The loss of training continued from one point with changed settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sharpest.curvature.critical import spikes
from sharpest.measures.interventions import UNCHANGED, Settings
from sharpest.measures.point import Point
from sharpest.trajectory.epoch import EpochLog, advance, end_epoch
from sharpest.trajectory.interventions import intervene
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import TrainingState


def measure(point: Point, settings: Settings) -> dict[str, Any]:
    """Continue each arm from the state of the point, at the same position in the order of examples.

    The unchanged arm is bitwise the run itself, and continues beyond the end of the run.

    Source: the edge test of Beneventano (2026), and Fig. 6 of Andreyev et al. (2026), arXiv 2604.14108.
    """
    run = point.problem, point.state
    arms = [run if arm == UNCHANGED else intervene(*run, arm) for arm in settings.arms]
    return spikes(
        np.stack([_losses(point, problem, state, settings.updates) for problem, state in arms]), settings.factor
    )


def _losses(point: Point, problem: Problem, state: TrainingState, updates: int) -> NDArray[np.float64]:
    """(updates + 1,), the loss of an arm on the Hessian examples of the point; one transfer from the device."""
    losses = []
    for update in range(updates + 1):
        state = next_state(problem, state) if update else state
        with torch.no_grad():
            losses.append(problem.at(state.buffers).mean_loss(state.theta, point.examples, point.settings.chunk_size))
    return torch.stack(losses).double().cpu().numpy()


def next_state(problem: Problem, state: TrainingState) -> TrainingState:
    """The state after one more update and, if that completes an epoch, after the end of the epoch."""
    log = EpochLog()
    state = advance(problem, state, state.iteration + 1, log, None)
    if state.iteration % problem.settings.steps_per_epoch:
        return state
    return end_epoch(problem, state, log, validate=problem.settings.rule == "plat")[0]
