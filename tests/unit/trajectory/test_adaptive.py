"""Adam, AdamW and RMSProp: their steps are those of torch.optim, and replays are exact."""

import pytest
import torch
from builders import Run, full_batch_settings, nsgd_settings, run_settings
from pydantic import ValidationError

from sharpest.config.run import RunSettings
from sharpest.results.stored import Snapshots
from sharpest.trajectory.epoch import EpochLog, advance
from sharpest.trajectory.state import initial_state

DECAYS = {
    "adam": {"beta1": 0.9, "beta2": 0.999},
    "adamw": {"beta1": 0.8, "beta2": 0.99, "weight_decay": 0.3},
    "rmsprop": {"beta2": 0.99},
}


def adaptive(optimizer: str, **changes) -> RunSettings:
    """A run at a learning rate that suits its optimizer."""
    return run_settings(optimizer=optimizer, lr=0.003, epsilon=1e-8, **DECAYS[optimizer], **changes)


def of_torch(optimizer: str, theta: torch.Tensor) -> torch.optim.Optimizer:
    decays = DECAYS[optimizer]
    if optimizer == "rmsprop":
        return torch.optim.RMSprop([theta], lr=0.003, alpha=decays["beta2"], eps=1e-8)
    betas = (decays["beta1"], decays["beta2"])
    if optimizer == "adamw":
        return torch.optim.AdamW([theta], lr=0.003, betas=betas, eps=1e-8, weight_decay=decays["weight_decay"])
    return torch.optim.Adam([theta], lr=0.003, betas=betas, eps=1e-8)


@pytest.mark.parametrize("optimizer", DECAYS)
def test_steps_are_those_of_torch(tmp_path, optimizer):
    """Twelve updates of a net, each from our state, so that only the step itself can differ."""
    problem = Run(tmp_path, adaptive(optimizer)).prepare().problem()
    state = initial_state(problem.settings, problem.model)
    theirs = state.theta.clone().requires_grad_()
    reference = of_torch(optimizer, theirs)
    for step in range(12):
        gradient, *_ = problem.training_gradient(state.theta, state.buffers.clone(), step)
        theirs.grad = gradient
        reference.step()
        before, state = state, advance(problem, state, step + 1, EpochLog(), None)
        assert not torch.equal(before.theta, state.theta)
        # one rounding of the parameter, and a few of the step
        torch.testing.assert_close(state.theta, theirs.detach(), rtol=3e-7, atol=1e-8)
        theirs.data.copy_(state.theta)
    kept = reference.state[theirs]
    second = kept["square_avg" if optimizer == "rmsprop" else "exp_avg_sq"]
    torch.testing.assert_close(state.second_moment, second, rtol=1e-5, atol=1e-12)
    if optimizer == "rmsprop":
        assert len(state.velocity) == 0
    else:
        torch.testing.assert_close(state.velocity, kept["exp_avg"], rtol=1e-5, atol=1e-9)
    assert state.updates == 12


@pytest.mark.parametrize("optimizer", DECAYS)
def test_moments_are_stored_and_replays_are_exact(tmp_path, optimizer):
    run = Run(tmp_path, adaptive(optimizer, snapshot_every=2)).train()
    replay = run.replay()
    states = list(replay.states([0, 3, 10, 13, 20]))
    assert replay.drift == 0.0
    assert replay.checked > 0
    assert [state.updates for state in states] == [0, 3, 10, 13, 20]
    assert float(states[-1].second_moment.max()) > 0
    assert len(states[-1].velocity) == (0 if optimizer == "rmsprop" else len(states[-1].theta))


def test_full_batch_squared_loss_plateau_and_clipping(tmp_path):
    """Each with Adam: the record of losses, the cut of the rate, the clipped gradient."""
    decays = {"optimizer": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "lr": 0.003, "loss": "squared"}
    full = Run(tmp_path / "full", full_batch_settings(**decays)).train()
    losses = Snapshots(full.snapshots).update_loss
    assert len(losses) == 13
    assert losses[-1] < losses[0]
    plateau = Run(tmp_path / "plat", run_settings(**decays, rule="plat", patience=1, stop_patience=9, epochs=6)).train()
    assert plateau.replay().drift == 0.0
    clipped = Run(tmp_path / "clip", run_settings(**decays, clip_norm=1e-3)).train()
    assert clipped.replay().attributes["clipped"] == 20
    unclipped = Run(tmp_path / "free", run_settings(**decays)).train()
    assert (
        float(clipped.replay().snapshot(4).second_moment.max())
        < 1e-6
        < float(unclipped.replay().snapshot(4).second_moment.max())
    )


@pytest.mark.parametrize("wrong", [{"momentum": 0.5}, {"nudge": "nsgd"}])
def test_momentum_and_scaled_steps_are_refused(wrong):
    changes = {"nudge": nsgd_settings()} if "nudge" in wrong else wrong
    with pytest.raises(ValidationError, match=r"momentum and steps scaled along directions belong to SGD"):
        adaptive("adam", **changes)
