"""Interventions: training continued from any state with another learning rate, batch size or momentum."""

from itertools import product

import pytest
import torch
from builders import (
    Run,
    branch_settings,
    dataset_settings,
    full_batch_settings,
    lstm_settings,
    nsgd_settings,
    run_settings,
)

from sharpest.errors import ConfigError
from sharpest.trajectory.epoch import EpochLog, advance, end_epoch
from sharpest.trajectory.interventions import intervene
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import TrainingState, initial_state

ADAM = {"optimizer": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def trained(problem: Problem, state: TrainingState, iteration: int) -> TrainingState:
    """The state at a later iteration, across the ends of epochs."""
    spe = problem.settings.steps_per_epoch
    while state.iteration < iteration:
        end, log = (state.iteration // spe + 1) * spe, EpochLog()
        state = advance(problem, state, min(end, iteration), log, None)
        if state.iteration == end:
            state, _ = end_epoch(problem, state, log, validate=False)
    return state


def start(tmp_path, iteration: int, **changes) -> tuple[Problem, TrainingState]:
    problem = Run(tmp_path, run_settings(**changes)).prepare().problem()
    return problem, trained(problem, initial_state(problem.settings, problem.model), iteration)


def seen(problem: Problem, iterations: range) -> list[bytes]:
    """Every example used by updates, in order."""
    batches = [problem.data.stream.batch(iteration).inputs for iteration in iterations]
    return [example.numpy().tobytes() for batch in batches for example in batch]


@pytest.mark.parametrize(
    ("variant", "changes"),
    [
        *product(["lr1.5", "S0.5", "S2"], [{"momentum": 0.5}, {}, ADAM]),
        *product(["m0.9", "m0.3"], [{"momentum": 0.5}, {}]),
        ("m0", {"momentum": 0.5}),
    ],
)
def test_a_branch_is_the_intervention_at_the_end_of_an_epoch(tmp_path, variant, changes):
    """Bit for bit, including its own replay."""
    trunk = run_settings(**changes, snapshot_every=2)
    settings = branch_settings(trunk, 2, variant)
    run = Run(tmp_path, settings, parent=trunk).train()
    problem, replay = run.trunk.problem(), run.replay()
    other, state = intervene(problem, run.trunk.replay().walk().to(10), variant)
    assert state.iteration == settings.start == replay.start
    last = trained(other, state, settings.num_iterations)
    theirs = replay.walk().to(settings.num_iterations)
    assert torch.equal(last.theta, theirs.theta)
    assert torch.equal(last.velocity, theirs.velocity)
    assert last.lr == theirs.lr
    assert not torch.equal(last.theta, run.trunk.replay().walk().to(20).theta)
    between = replay.walk().to(settings.start + 1)  # behind no snapshot
    assert torch.equal(between.theta, advance(other, state, state.iteration + 1, EpochLog(), None).theta)
    if changes is ADAM:
        assert last.updates == theirs.updates == 10 + settings.num_iterations - settings.start


@pytest.mark.parametrize("augmented", [False, True])
@pytest.mark.parametrize(("iteration", "factor"), [(0, 0.5), (7, 0.5), (8, 0.25), (6, 2.0), (7, 2.0), (7, 0.375)])
def test_another_batch_size_continues_at_the_same_place(tmp_path, augmented, iteration, factor):
    """The examples of the rest of the epoch, and of later epochs, are those of the unchanged run, in order."""
    shift = 0.1 if augmented else 0.0
    problem, state = start(tmp_path, iteration, dataset=dataset_settings(shift=shift))
    other, moved = intervene(problem, state, f"S{factor:g}")
    spe, size = other.settings.steps_per_epoch, other.settings.batch_size
    epoch = iteration // 5
    assert size == 8 * factor
    assert epoch * spe <= moved.iteration <= (epoch + 1) * spe
    rest = (epoch + 1) * spe - moved.iteration
    assert rest == (40 - iteration % 5 * 8) // size
    unchanged = seen(problem, range(iteration, (epoch + 1) * 5))
    assert seen(other, range(moved.iteration, (epoch + 1) * spe)) == unchanged[: rest * size]
    if not augmented and 40 % size == 0:
        later = range((epoch + 1) * 5, (epoch + 2) * 5)
        assert seen(other, range((epoch + 1) * spe, (epoch + 2) * spe)) == seen(problem, later)
    again, back = intervene(other, moved, f"S{1 / factor:g}")
    assert again.settings.batch_size == 8
    assert back.iteration <= (epoch + 1) * 5


def test_the_velocity_is_kept(tmp_path):
    problem, state = start(tmp_path, 7, momentum=0.5)
    other, moved = intervene(problem, state, "m0.9")
    assert torch.equal(moved.velocity, state.velocity)
    assert other.settings.momentum == 0.9
    none, without = intervene(problem, state, "m0")
    assert len(without.velocity) == 0
    assert none.settings.momentum == 0
    _, begun = intervene(none, without, "m0.5")
    assert not begun.velocity.any()
    assert intervene(problem, state, "sgd") == (problem, state)


@pytest.mark.parametrize(
    ("variant", "changes", "reason"),
    [
        ("lr1", {}, "changes nothing"),
        ("S1", {}, "changes nothing"),
        ("m0.5", {"momentum": 0.5}, "changes nothing"),
        ("m0", {}, "changes nothing"),
        ("S0.05", {}, "batch size 8 times 0.05 is 0.4, outside of 1 to 40 training examples"),
        ("S6", {}, "batch size 8 times 6 is 48, outside of 1 to 40"),
        ("lr0", {}, "must stay above 0"),
        ("m1", {}, "momentum must be below 1"),
        ("m0.5", ADAM, "momentum belongs to SGD; adam takes"),
        ("sgd", ADAM, "is not one of lr<f>, S<f>, m<m>$"),
        ("top", {}, "is not one of lr<f>, S<f>, m<m> and sgd"),
        ("lr2", {"nudge": nsgd_settings()}, "whose step is scaled"),
        ("S0.5", {"full": True}, "the batch size of a full batch is fixed"),
        ("S0.5", {"text": True}, "the batch size of a text in parallel streams is fixed"),
    ],
)
def test_impossible_interventions_are_refused_in_one_line(tmp_path, variant, changes, reason):
    make = {"full": full_batch_settings, "text": lstm_settings}.get(next(iter(changes), ""))
    settings = make() if make else run_settings(**changes)
    problem = Run(tmp_path, settings).prepare().problem()
    with pytest.raises(ConfigError, match=reason) as caught:
        intervene(problem, initial_state(settings, problem.model), variant)
    assert "\n" not in str(caught.value)
    assert repr(variant) in str(caught.value)
