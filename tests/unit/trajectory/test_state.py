"""A state survives a round trip through a file."""

import numpy as np
import pytest
import torch
from builders import VGG, Run, lstm_settings, nsgd_settings, run_settings

from sharpest.trajectory.state import PROGRESS, TrainingState, initial_state, new_rule

CPU = torch.device("cpu")


@pytest.mark.parametrize("changes", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nudge": nsgd_settings()}])
def test_the_start(tmp_path, changes):
    settings = run_settings(**changes)
    model = Run(tmp_path, settings).problem().model
    state = initial_state(settings, model)
    assert torch.equal(state.theta, model.initial())
    assert (state.iteration, state.lr, state.best_iteration, state.diverged) == (0, settings.lr, -1, -1)
    assert torch.equal(state.velocity, torch.zeros(365 if "momentum" in changes else 0))
    assert torch.equal(state.solver_start, torch.zeros(365 if "nudge" in changes else 0))


NAMES = ("theta", "buffers", "velocity", "second_moment", "solver_start")


def test_a_state_survives_a_round_trip(tmp_path):
    settings = run_settings(rule="plat", patience=3, stop_patience=5)
    rule = new_rule(settings)
    for loss, accuracy in ((1.0, 0.5), (1.1, 0.4)):
        rule, _, _ = rule.after_epoch(loss, accuracy)
    numbers = torch.Generator().manual_seed(1)
    tensors = {name: torch.randn(5, generator=numbers) for name in NAMES}
    tensors["directions"] = torch.randn(2, 5, generator=numbers)
    state = TrainingState(iteration=10, lr=0.1 * 0.1, rule=rule, best_iteration=5, clipped=3, **tensors)
    arrays = state.arrays()
    assert dict(zip(PROGRESS, arrays["progress"], strict=True)) == {
        "best_loss": 1.0, "wait": 1, "best_accuracy": 0.5, "stop_wait": 1, "best_iteration": 5, "diverged": -1,
        "clipped": 3, "updates": 0,
    }  # fmt: skip
    back = TrainingState.from_arrays(arrays, settings, CPU)
    for name, value in vars(state).items():
        assert np.array_equal(getattr(back, name), value) if name in tensors else getattr(back, name) == value
    # and its tensors are copies
    back.theta.zero_()
    assert torch.equal(torch.from_numpy(arrays["theta"]), state.theta)


def test_absent_directions_stay_absent(tmp_path):
    """If the next update recomputes them."""
    settings = run_settings(nudge=nsgd_settings())
    state = initial_state(settings, Run(tmp_path, settings).problem().model)
    assert state.directions is None
    assert TrainingState.from_arrays(state.arrays(), settings, CPU).directions is None


def test_directions_that_outlast_an_epoch_are_part_of_the_start(tmp_path):
    """So all rows of a file have one shape; the first update computes the directions."""
    settings = run_settings(nudge=nsgd_settings(num_directions=2, refresh_every=3))
    state = initial_state(settings, Run(tmp_path, settings).problem().model)
    assert torch.equal(state.directions, torch.zeros(2, 365))


@pytest.mark.parametrize("settings", [run_settings(model=VGG), lstm_settings()], ids=["vgg", "lstm"])
def test_the_start_copies_the_buffers_of_the_module(tmp_path, settings):
    model = Run(tmp_path, settings).problem().model
    state = initial_state(settings, model)
    expected = torch.cat([value.flatten() for value in model.module.buffers()])
    assert torch.equal(state.buffers, expected)
    state.buffers.fill_(7)
    assert torch.equal(model.buffers, expected)


def test_a_constant_rate_never_cuts_or_stops():
    settings = run_settings(epochs=50)
    rule = new_rule(settings)
    for _ in range(settings.epochs):
        rule, cut, stop = rule.after_epoch(1.0, 0.5)
        assert not cut
        assert not stop
    assert rule.best_accuracy == 0.5
