"""Updates within an epoch and its end, against the formulas in NumPy."""

import numpy as np
import pytest
import torch
from builders import Run, nsgd_settings, run_settings
from torch import Tensor

from sharpest.curvature.lanczos import Eigenpairs
from sharpest.training.plateau import PlateauRule
from sharpest.training.problem import Problem
from sharpest.training.state import initial_state
from sharpest.training.trainer import EpochLog, advance, end_epoch

# ten updates of a float32 net against float64
ROUNDING = 1e-5


def orthonormal(seed: int, k: int, p: int) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.linalg.qr(rng.standard_normal((p, k)))[0].T.copy()).float()


class Solver:
    """Hands out other directions at every call, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Tensor, int, Tensor]] = []

    def __call__(self, theta: Tensor, iteration: int, warm: Tensor) -> Eigenpairs:
        self.asked.append((theta.clone(), iteration, warm))
        return Eigenpairs(np.arange(4.0), orthonormal(iteration, 4, len(theta)), np.zeros(4), np.ones(4, bool), 5, 0.1)


def through(problem: Problem, epochs: int, solver: Solver | None = None) -> list:
    """The states at the starts of epochs."""
    states = [initial_state(problem.settings, problem.model)]
    for _ in range(epochs):
        log = EpochLog()
        state = advance(problem, states[-1], states[-1].iteration + problem.settings.steps_per_epoch, log, solver)
        states.append(end_epoch(problem, state, log)[0])
    return states


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_nsgd_is_the_formula(tmp_path, momentum):
    """The velocity keeps d as it was; the step is d - P P^T d + gamma P P^T d, with the first K directions."""
    settings = run_settings(momentum=momentum, nsgd=nsgd_settings(gamma=0.3, num_directions=2), lr=0.05)
    problem, solver = Run(tmp_path, settings).problem(), Solver()
    states = through(problem, 2, solver)
    theta = problem.model.initial().double().numpy()
    velocity = np.zeros_like(theta)
    for iteration in range(10):
        directions = orthonormal(iteration - iteration % 5, 4, len(theta)).double().numpy()[:2]
        gradient = (
            problem.gradient(torch.from_numpy(theta).float(), problem.stream.batch(iteration))[0].double().numpy()
        )
        velocity = momentum * velocity - 0.05 * gradient
        along = directions.T @ directions @ velocity
        theta = theta + velocity - along + 0.3 * along
        if iteration == 4:
            np.testing.assert_allclose(states[1].theta, theta, atol=ROUNDING)
    np.testing.assert_allclose(states[2].theta, theta, atol=ROUNDING)
    if momentum:
        np.testing.assert_allclose(states[2].velocity, velocity, atol=ROUNDING)
    else:
        assert states[2].velocity.numel() == 0


def test_directions_are_computed_at_the_start_of_each_epoch_from_the_last_ones(tmp_path):
    problem, solver = Run(tmp_path, run_settings(nsgd=nsgd_settings())).problem(), Solver()
    states = through(problem, 2, solver)
    assert [iteration for _, iteration, _ in solver.asked] == [0, 5]
    for (theta, _, warm), state in zip(solver.asked, states, strict=False):
        assert torch.equal(theta, state.theta)
        assert torch.equal(warm, state.solver_start)
    assert torch.equal(solver.asked[0][2], torch.zeros_like(states[0].theta))
    assert torch.equal(solver.asked[1][2], orthonormal(0, 4, len(states[0].theta)).sum(dim=0))


def test_directions_stay_within_an_epoch_that_is_trained_in_parts(tmp_path):
    problem = Run(tmp_path, run_settings(nsgd=nsgd_settings(), momentum=0.9)).problem()
    whole = through(problem, 1, Solver())[1]
    solver, log, state = Solver(), EpochLog(), initial_state(problem.settings, problem.model)
    for iteration in (2, 2, 5):
        state = advance(problem, state, iteration, log, solver)
    assert len(solver.asked) == 1
    assert torch.equal(state.theta, whole.theta)
    assert torch.equal(state.velocity, whole.velocity)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_gamma_1_is_sgd_bit_for_bit(tmp_path, momentum):
    """Through the code of NSGD, with directions."""
    sgd = through(Run(tmp_path, run_settings(momentum=momentum)).problem(), 3)
    settings = run_settings(momentum=momentum, nsgd=nsgd_settings(gamma=1.0))
    nsgd = through(Run(tmp_path, settings).problem(), 3, Solver())
    other = through(
        Run(tmp_path, settings.model_copy(update={"nsgd": nsgd_settings(gamma=0.99)})).problem(), 3, Solver()
    )
    for one, same, different in zip(sgd[1:], nsgd[1:], other[1:], strict=True):
        assert torch.equal(one.theta, same.theta)
        assert torch.equal(one.velocity, same.velocity)
        assert not torch.equal(one.theta, different.theta)


def test_momentum_is_that_of_keras_through_a_cut_of_the_learning_rate(tmp_path):
    """The velocity from before the cut is not scaled down with the rate."""
    settings = run_settings(momentum=0.9, rule="plat", patience=1, stop_patience=100)
    problem = Run(tmp_path, settings).problem()
    state = through(problem, 1)[1]
    # a best loss that cannot be reached: the epoch ends with a cut
    stalled = PlateauRule(1, 100, best_loss=0.0, wait=1, best_accuracy=1.0)
    log = EpochLog()
    state = advance(problem, type(state)(**{**vars(state), "rule": stalled}), 10, log, None)
    cut, _ = end_epoch(problem, state, log)
    assert cut.lr == pytest.approx(0.01)
    gradient = problem.gradient(cut.theta, problem.stream.batch(10))[0]
    after = advance(problem, cut, 11, EpochLog(), None)
    torch.testing.assert_close(after.velocity, 0.9 * cut.velocity - 0.01 * gradient)
    torch.testing.assert_close(after.theta, cut.theta + 0.9 * cut.velocity - 0.01 * gradient)


def test_the_state_before_is_left_as_it_was(tmp_path):
    problem = Run(tmp_path, run_settings(momentum=0.9)).problem()
    state = through(problem, 1)[1]
    theta, velocity = state.theta.clone(), state.velocity.clone()
    advance(problem, state, 8, EpochLog(), None)
    assert torch.equal(state.theta, theta)
    assert torch.equal(state.velocity, velocity)


def test_the_row_of_an_epoch_averages_its_updates(tmp_path):
    problem = Run(tmp_path).problem()
    state = initial_state(problem.settings, problem.model)
    log, losses, correct = EpochLog(), [], 0
    for iteration in range(5):
        batch = problem.stream.batch(iteration)
        loss, accuracy = problem.evaluate(state.theta, batch)
        losses.append(loss)
        correct += round(accuracy * len(batch))
        state = advance(problem, state, iteration + 1, log, None)
    state, row = end_epoch(problem, state, log)
    val_loss, val_accuracy = problem.evaluate(state.theta, problem.data.val)
    assert row == pytest.approx({
        "iteration": 5, "epoch": 1.0, "lr": 0.1, "train_loss": np.mean(losses), "train_accuracy": correct / 40,
        "val_loss": val_loss, "val_accuracy": val_accuracy,
    }, rel=1e-6)  # fmt: skip


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_its_update(tmp_path, broken):
    problem = Run(tmp_path).problem()
    state, log = through(problem, 1)[1], EpochLog()
    state = advance(problem, state, 10, log, None)
    log.losses[2] = torch.tensor(broken)
    ended, _ = end_epoch(problem, state, log)
    assert ended.diverged == 7  # the third update of the second epoch, counted from 0


def test_a_validation_loss_that_is_not_finite_is_a_divergence_too(tmp_path):
    problem = Run(tmp_path).problem()
    state, log = through(problem, 1)[1], EpochLog()
    state = advance(problem, state, 10, log, None)
    ended, row = end_epoch(problem, type(state)(**{**vars(state), "theta": state.theta * float("nan")}), log)
    assert ended.diverged == 10
    assert np.isfinite(row["train_loss"])
    assert np.isnan(row["val_loss"])
