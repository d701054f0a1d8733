"""Interventions: training that goes on from any state under another learning rate, batch size or momentum."""

from __future__ import annotations

from dataclasses import replace

from sharpest.config.interventions import intervened, lr_factor
from sharpest.data.shuffled import ShuffledStream
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import TrainingState, changed_state


def intervene(problem: Problem, state: TrainingState, variant: str) -> tuple[Problem, TrainingState]:
    """The problem and the state from which training goes on under a variant; both arguments stay as they are.

    ``lr<f>`` multiplies the learning rate of the state. ``S<f>`` multiplies the batch size: examples go on at the same
    place of the same order, and updates are counted in the new size, so that epochs end where they did. ``m<m>`` sets
    the momentum: the velocity goes on, from 0 where there was none. ``sgd`` changes nothing. A branch of that name, at
    the end of an epoch, is the same training.

    Args:
        problem: The run.
        state: Where it stands, at any iteration.
        variant: Name of the variant.

    Raises:
        ConfigError: If the variant is none of these, changes nothing, or is none for this run; in one line.
    """
    settings, iteration, stream = intervened(problem.settings, variant), state.iteration, problem.data.stream
    if settings.batch_size != problem.settings.batch_size:
        assert isinstance(stream, ShuffledStream)  # other streams have a fixed batch size
        stream, iteration = stream.resized(settings.batch_size, iteration)
    changed = replace(problem, settings=settings, data=replace(problem.data, stream=stream))
    return changed, changed_state(state, settings, iteration, lr_factor(variant))
