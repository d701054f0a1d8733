"""Interventions: training continued from any state with another learning rate, batch size or momentum."""

from __future__ import annotations

from dataclasses import replace

from sharpest.config.variants import intervened, lr_factor
from sharpest.data.dataset import ShuffledStream
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import TrainingState, changed_state


def intervene(problem: Problem, state: TrainingState, variant: str) -> tuple[Problem, TrainingState]:
    """The problem and the state from which training continues under a variant; the arguments are not changed.

    ``lr<f>`` multiplies the learning rate of the state. ``S<f>`` multiplies the batch size: training continues at the
    same position in the same order of examples, and updates are counted in the new size, so that epochs end at the same
    examples. ``m<m>`` sets the momentum: the velocity is kept, or starts at 0 if there was none. ``sgd`` changes
    nothing. At the end of an epoch, the training is identical to that of a branch of the same name.

    Args:
        problem: The run.
        state: Its state at any iteration.
        variant: Name of the variant.

    Raises:
        ConfigError: If the variant is unknown, changes nothing, or does not apply to this run; in one line.
    """
    settings, iteration, stream = intervened(problem.settings, variant), state.iteration, problem.data.stream
    if settings.batch_size != problem.settings.batch_size:
        assert isinstance(stream, ShuffledStream)  # other streams have a fixed batch size
        stream, iteration = stream.resized(settings.batch_size, iteration)
    changed = replace(problem, settings=settings, data=replace(problem.data, stream=stream))
    return changed, changed_state(state, settings, iteration, lr_factor(variant))
