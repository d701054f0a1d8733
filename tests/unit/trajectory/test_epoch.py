"""Updates within an epoch and its end, compared with the formulas in NumPy."""

import numpy as np
import pytest
import torch
from builders import RESNET_BN, VGG, Run, lstm_settings, nsgd_settings, run_settings
from numpy.typing import NDArray
from torch import Tensor

from sharpest.config.variants import scales_of_step
from sharpest.curvature.lanczos import Eigenpairs
from sharpest.trajectory.epoch import EpochLog, advance, end_epoch
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import PlateauRule, initial_state

# ten updates of a float32 net against float64
ROUNDING = 1e-5


def orthonormal(seed: int, k: int, p: int) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.linalg.qr(rng.standard_normal((p, k)))[0].T.copy()).float()


class Solver:
    """Returns different directions at every call, and records its arguments."""

    def __init__(self) -> None:
        self.asked: list[tuple[Tensor, int, Tensor]] = []
        self.buffers: list[Tensor] = []

    def __call__(self, problem: Problem, theta: Tensor, iteration: int, warm: Tensor) -> Eigenpairs:
        self.asked.append((theta.clone(), iteration, warm))
        self.buffers.append(problem.model.buffers.clone())
        return Eigenpairs(
            np.arange(4.0), orthonormal(iteration, 4, len(theta)), np.zeros(4), np.ones(4, bool), True, 5, 0.1
        )


def through(problem: Problem, epochs: int, solver: Solver | None = None) -> list:
    """The states at the starts of epochs."""
    states = [initial_state(problem.settings, problem.model)]
    for _ in range(epochs):
        log = EpochLog()
        state = advance(problem, states[-1], states[-1].iteration + problem.settings.steps_per_epoch, log, solver)
        states.append(end_epoch(problem, state, log)[0])
    return states


def gradient_at(problem: Problem, theta: NDArray[np.float64], iteration: int) -> NDArray[np.float64]:
    """Gradient on the batch of an update, for a net that trains as it is measured."""
    batch = problem.data.stream.batch(iteration)
    return problem.gradient(torch.from_numpy(theta).float(), batch).double().numpy()


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_that_of_torch(tmp_path, nesterov):
    """Compared with torch's optimiser in float64, whose velocity is ours over minus the learning rate."""
    problem = Run(tmp_path, run_settings(momentum=0.9, nesterov=nesterov, lr=0.05)).problem()
    states = through(problem, 2)
    theta = problem.model.initial().double()
    optimizer = torch.optim.SGD([theta], lr=0.05, momentum=0.9, nesterov=nesterov)
    for iteration in range(10):
        theta.grad = torch.from_numpy(gradient_at(problem, theta.numpy(), iteration))
        optimizer.step()
    np.testing.assert_allclose(states[2].theta, theta, atol=ROUNDING)
    velocity = -0.05 * optimizer.state[theta]["momentum_buffer"]
    np.testing.assert_allclose(states[2].velocity, velocity, atol=ROUNDING)
    other = run_settings(momentum=0.9, nesterov=not nesterov, lr=0.05)
    assert not np.allclose(through(Run(tmp_path, other).problem(), 2)[2].theta, theta, atol=1e-3)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(("momentum", "correction"), [(0.0, "v"), (0.9, "v"), (0.9, "g"), (0.9, "both")])
def test_nsgd_is_the_formula(tmp_path, momentum, correction, nesterov):
    """With the first K directions, x - P P^T x + gamma P P^T x scales the step without changing the velocity (v), the
    gradient before it enters the velocity (g), or both (inventory 1.6)."""
    nudged = nsgd_settings(gamma=0.3, num_directions=2, correction=correction)
    settings = run_settings(momentum=momentum, nesterov=nesterov and momentum > 0, nudge=nudged, lr=0.05)
    problem, solver = Run(tmp_path, settings).problem(), Solver()
    states = through(problem, 2, solver)
    theta = problem.model.initial().double().numpy()
    velocity = np.zeros_like(theta)
    for iteration in range(10):
        directions = orthonormal(iteration - iteration % 5, 4, len(theta)).double().numpy()[:2]
        gradient = gradient_at(problem, theta, iteration)
        if correction != "v":
            gradient = gradient - 0.7 * directions.T @ (directions @ gradient)
        velocity = momentum * velocity - 0.05 * gradient
        step = momentum * velocity - 0.05 * gradient if nesterov and momentum else velocity
        if correction != "g":
            step = step - 0.7 * directions.T @ (directions @ step)
        theta = theta + step
        if iteration == 4:
            np.testing.assert_allclose(states[1].theta, theta, atol=ROUNDING)
    np.testing.assert_allclose(states[2].theta, theta, atol=ROUNDING)
    if momentum:
        np.testing.assert_allclose(states[2].velocity, velocity, atol=ROUNDING)
    else:
        assert states[2].velocity.numel() == 0


VARIANTS = {
    # name -> the variant's change, from plain SGD's change d and the current direction e
    "sgd": lambda d, e: d,
    "top": lambda d, e: (d @ e) * e,
    "ctop": lambda d, e: (d @ e) * e,
    "notop": lambda d, e: d - (d @ e) * e,
    "x0.25": lambda d, e: d - 0.75 * (d @ e) * e,
    "x4": lambda d, e: d + 3 * (d @ e) * e,
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_the_formula(tmp_path, name):
    """Fig. 7: with directions recomputed at every update, except for the variant that keeps those of the start."""
    nudged = nsgd_settings(**{**scales_of_step(name), "num_directions": 1, "refresh_every": 1})
    problem, solver = Run(tmp_path, run_settings(nudge=nudged, lr=0.05)).problem(), Solver()
    states = through(problem, 2, solver)
    theta = problem.model.initial().double().numpy()
    for iteration in range(10):
        direction = orthonormal(0 if name == "ctop" else iteration, 4, len(theta)).double().numpy()[0]
        theta = theta + VARIANTS[name](-0.05 * gradient_at(problem, theta, iteration), direction)
    np.testing.assert_allclose(states[2].theta, theta, atol=ROUNDING)
    assert [iteration for _, iteration, _ in solver.asked] == list(range(10))


@pytest.mark.parametrize("refresh_every", [1, 3, 4, 7])
def test_directions_outlast_epochs_if_computed_every_few_updates(tmp_path, refresh_every):
    """Whether or not the interval divides the epoch of five; training in parts computes none twice."""
    settings = run_settings(nudge=nsgd_settings(refresh_every=refresh_every), momentum=0.5)
    problem, solver = Run(tmp_path, settings).problem(), Solver()
    whole = through(problem, 3, solver)
    assert [iteration for _, iteration, _ in solver.asked] == list(range(0, 15, refresh_every))
    state, again = whole[1], Solver()
    for iteration in (6, 7, 9, 10):
        state = advance(problem, state, iteration, EpochLog(), again)
    assert torch.equal(state.theta, whole[2].theta)
    assert torch.equal(state.directions, whole[2].directions)
    assert [iteration for _, iteration, _ in again.asked] == [i for i in range(0, 15, refresh_every) if 5 <= i < 10]


def test_computed_directions_and_losses_are_reported(tmp_path):
    """The loss is that of the first clean examples, without L2, in inference mode with the current averages."""
    nudged = nsgd_settings(refresh_every=2, loss_examples=17)
    problem = Run(tmp_path, run_settings(nudge=nudged, model=VGG, l2=0.1)).problem()
    told: list[tuple[int, float]] = []
    solver, log, state = Solver(), EpochLog(), initial_state(problem.settings, problem.model)
    advance(problem, state, 5, log, solver, lambda iteration, pairs, loss: told.append((iteration, loss)))
    assert [iteration for iteration, _ in told] == [0, 2, 4]
    for (iteration, loss), (theta, _, _), buffers in zip(told, solver.asked, solver.buffers, strict=True):
        advanced = advance(problem, state, iteration, EpochLog(), Solver())
        assert torch.equal(advanced.theta, theta)
        assert torch.equal(advanced.buffers, buffers)
        assert loss == problem.at(buffers).evaluate(theta, problem.data.train.first(17))[0]
    assert not torch.equal(solver.buffers[0], solver.buffers[1])


def test_directions_are_computed_at_the_start_of_each_epoch_from_the_last_ones(tmp_path):
    problem, solver = Run(tmp_path, run_settings(nudge=nsgd_settings())).problem(), Solver()
    states = through(problem, 2, solver)
    assert [iteration for _, iteration, _ in solver.asked] == [0, 5]
    for (theta, _, warm), state in zip(solver.asked, states, strict=False):
        assert torch.equal(theta, state.theta)
        assert torch.equal(warm, state.solver_start)
    assert torch.equal(solver.asked[0][2], torch.zeros_like(states[0].theta))
    assert torch.equal(solver.asked[1][2], orthonormal(0, 4, len(states[0].theta)).sum(dim=0))


def test_directions_stay_within_an_epoch_that_is_trained_in_parts(tmp_path):
    problem = Run(tmp_path, run_settings(nudge=nsgd_settings(), momentum=0.9)).problem()
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
    settings = run_settings(momentum=momentum, nudge=nsgd_settings(gamma=1.0))
    nsgd = through(Run(tmp_path, settings).problem(), 3, Solver())
    other = through(
        Run(tmp_path, settings.model_copy(update={"nudge": nsgd_settings(gamma=0.99)})).problem(), 3, Solver()
    )
    for one, same, different in zip(sgd[1:], nsgd[1:], other[1:], strict=True):
        assert torch.equal(one.theta, same.theta)
        assert torch.equal(one.velocity, same.velocity)
        assert not torch.equal(one.theta, different.theta)


def test_momentum_is_that_of_keras_through_a_cut_of_the_learning_rate(tmp_path):
    """The velocity from before the cut is not rescaled with the rate."""
    settings = run_settings(momentum=0.9, rule="plat", patience=1, stop_patience=100)
    problem = Run(tmp_path, settings).problem()
    state = through(problem, 1)[1]
    # a best loss that cannot be reached: the epoch ends with a cut
    stalled = PlateauRule(1, 100, best_loss=0.0, wait=1, best_accuracy=1.0)
    log = EpochLog()
    state = advance(problem, type(state)(**{**vars(state), "rule": stalled}), 10, log, None)
    cut, _ = end_epoch(problem, state, log)
    assert cut.lr == pytest.approx(0.01)
    gradient = problem.gradient(cut.theta, problem.data.stream.batch(10))
    after = advance(problem, cut, 11, EpochLog(), None)
    torch.testing.assert_close(after.velocity, 0.9 * cut.velocity - 0.01 * gradient)
    torch.testing.assert_close(after.theta, cut.theta + 0.9 * cut.velocity - 0.01 * gradient)


def test_the_previous_state_is_unchanged(tmp_path):
    problem = Run(tmp_path, run_settings(momentum=0.9, model=VGG)).problem()
    state = through(problem, 1)[1]
    before = {name: getattr(state, name).clone() for name in ("theta", "velocity", "buffers")}
    after = advance(problem, state, 8, EpochLog(), None)
    for name, value in before.items():
        assert torch.equal(getattr(state, name), value)
        assert not torch.equal(getattr(after, name), value)
    assert torch.equal(problem.model.buffers, initial_state(problem.settings, problem.model).buffers)


@pytest.mark.parametrize("model", [RESNET_BN, VGG], ids=["resnet-bn", "vgg"])
def test_an_epoch_is_validated_with_its_running_averages(tmp_path, model):
    problem = Run(tmp_path, run_settings(model=model)).problem()
    state, log = initial_state(problem.settings, problem.model), EpochLog()
    state = advance(problem, state, 5, log, None)
    _, row = end_epoch(problem, state, log)
    assert (row["val_loss"], row["val_accuracy"]) == problem.at(state.buffers).evaluate(state.theta, problem.data.val)
    assert row["val_loss"] != problem.evaluate(state.theta, problem.data.val)[0]


def test_the_state_of_an_lstm_is_carried_within_an_epoch_and_no_further(tmp_path):
    """From window to window, also when training in parts; the first window of every epoch starts from zero."""
    problem = Run(tmp_path, lstm_settings()).problem()
    spe, state, starts = problem.settings.steps_per_epoch, initial_state(problem.settings, problem.model), []
    problem.model.module.register_forward_pre_hook(lambda module, _: starts.append(module.state.clone()))
    for end in (7, spe, spe + 1, 2 * spe):
        state = advance(problem, state, end, EpochLog(), None)
    assert len(starts) == 2 * spe
    assert [bool(start.any()) for start in starts] == [step % spe > 0 for step in range(2 * spe)]
    # the state left by the last window of an epoch
    assert torch.equal(state.buffers, advance(problem, through(problem, 1)[1], 2 * spe, EpochLog(), None).buffers)
    assert state.buffers.any()


def test_momentum_accumulates_clipped_gradients(tmp_path):
    settings = run_settings(lr=1.0, momentum=0.5, clip_norm=0.01)
    problem, plain = Run(tmp_path, settings).problem(), Run(tmp_path).problem()
    state = initial_state(settings, problem.model)
    for step in range(2):
        gradient = plain.gradient(state.theta, plain.data.stream.batch(step))
        after = advance(problem, state, step + 1, EpochLog(), None)
        expected = 0.5 * state.velocity - 0.01 * gradient / gradient.norm()
        torch.testing.assert_close(after.velocity, expected)
        torch.testing.assert_close(after.theta - state.theta, expected, atol=1e-7, rtol=1e-4)
        state = after


def test_clipped_gradients_are_counted_over_epochs(tmp_path):
    """Compared with the norms of the gradients at the states of the run."""
    settings = run_settings(clip_norm=0.6)
    problem, plain = Run(tmp_path, settings).problem(), Run(tmp_path).problem()
    state, cut, counts = initial_state(settings, problem.model), 0, []
    for _ in range(3):
        log = EpochLog()
        for _ in range(5):
            gradient = plain.gradient(state.theta, plain.data.stream.batch(state.iteration))
            cut += float(gradient.norm()) > 0.6
            state = advance(problem, state, state.iteration + 1, log, None)
        state, _ = end_epoch(problem, state, log)
        counts.append(state.clipped)
    assert counts[-1] == cut
    assert 0 < counts[0] < counts[-1] < 15


def test_the_row_of_an_epoch_averages_its_updates(tmp_path):
    problem = Run(tmp_path).problem()
    state = initial_state(problem.settings, problem.model)
    log, losses, correct = EpochLog(), [], 0
    for iteration in range(5):
        batch = problem.data.stream.batch(iteration)
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
    log.losses[3] = torch.tensor(broken)
    ended, _ = end_epoch(problem, state, log)
    assert ended.diverged == 8  # the fourth update of the second epoch, counted from 0


def test_a_validation_loss_that_is_not_finite_is_a_divergence_too(tmp_path):
    problem = Run(tmp_path).problem()
    state, log = through(problem, 1)[1], EpochLog()
    state = advance(problem, state, 10, log, None)
    ended, row = end_epoch(problem, type(state)(**{**vars(state), "theta": state.theta * float("nan")}), log)
    assert ended.diverged == 10
    assert np.isfinite(row["train_loss"])
    assert np.isnan(row["val_loss"])
