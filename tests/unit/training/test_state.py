"""A state survives the way into a file and back."""

import numpy as np
import pytest
import torch
from builders import Run, nsgd_settings, run_settings

from sharpest.training.state import PROGRESS, TrainingState, initial_state, new_rule

CPU = torch.device("cpu")


@pytest.mark.parametrize("changes", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nsgd": nsgd_settings()}])
def test_the_start(tmp_path, changes):
    settings = run_settings(**changes)
    model = Run(tmp_path, settings).problem().model
    state = initial_state(settings, model)
    assert torch.equal(state.theta, model.initial())
    assert (state.iteration, state.lr, state.best_iteration, state.diverged) == (0, settings.lr, -1, -1)
    assert torch.equal(state.velocity, torch.zeros(365 if "momentum" in changes else 0))
    assert torch.equal(state.solver_start, torch.zeros(365 if "nsgd" in changes else 0))


def test_there_and_back_again(tmp_path):
    settings = run_settings(rule="plat", patience=3, stop_patience=5)
    rule = new_rule(settings)
    for loss, accuracy in ((1.0, 0.5), (1.1, 0.4)):
        rule, _, _ = rule.after_epoch(loss, accuracy)
    numbers = torch.Generator().manual_seed(1)
    tensors = {name: torch.randn(5, generator=numbers) for name in ("theta", "velocity", "solver_start")}
    state = TrainingState(iteration=10, lr=0.1 * 0.1, rule=rule, best_iteration=5, **tensors)
    arrays = state.arrays()
    assert dict(zip(PROGRESS, arrays["progress"], strict=True)) == {
        "best_loss": 1.0, "wait": 1, "best_accuracy": 0.5, "stop_wait": 1, "best_iteration": 5, "diverged": -1,
    }  # fmt: skip
    back = TrainingState.from_arrays(arrays, settings, CPU)
    for name, value in vars(state).items():
        assert np.array_equal(getattr(back, name), value) if name in tensors else getattr(back, name) == value
    # and its tensors are its own
    back.theta.zero_()
    assert torch.equal(torch.from_numpy(arrays["theta"]), state.theta)


def test_a_constant_rate_never_cuts_or_stops():
    settings = run_settings(epochs=50)
    rule = new_rule(settings)
    for _ in range(settings.epochs):
        rule, cut, stop = rule.after_epoch(1.0, 0.5)
        assert not cut
        assert not stop
    assert rule.best_accuracy == 0.5
