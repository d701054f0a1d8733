"""Arms continued from a point: the unchanged arm is the run, the others are compared with explicit steps."""

from typing import Any

import numpy as np
import pytest
import torch
from builders import VGG, Run, full_batch_settings, hessian_settings, lstm_settings, nsgd_settings, run_settings
from numpy.testing import assert_array_equal

from sharpest.config.measures import Planned, Taken
from sharpest.config.run import RunSettings
from sharpest.errors import ConfigError
from sharpest.measures.interventions import MEASURE, Settings
from sharpest.measures.interventions import measure as of_point
from sharpest.measures.interventions.measure import next_state
from sharpest.measures.point import Point
from sharpest.results.stored import Measured

KINDS = {
    "sgd": run_settings(l2=0.001, clip_norm=0.5),
    "momentum": run_settings(momentum=0.9),
    "nesterov": run_settings(momentum=0.9, nesterov=True),
    "plateau": run_settings(rule="plat", patience=1, stop_patience=3, lr=2e-5),  # rate cut at iteration 15
    "vgg": run_settings(model=VGG, lr=0.02),
    "full batch": full_batch_settings(),
    "lstm": lstm_settings(epochs=1),
}
ARMS = Settings(arms=("sgd", "lr1.5"), updates=7)


@pytest.fixture(scope="module", params=KINDS)
def run(request, tmp_path_factory) -> Run:
    return Run(tmp_path_factory.mktemp("interventions"), KINDS[request.param]).train()


@pytest.fixture(scope="module")
def sgd(tmp_path_factory) -> Run:
    return Run(tmp_path_factory.mktemp("interventions"), run_settings(momentum=0.5)).train()


def measured(run: Run, points: list[int], settings: Settings = ARMS, name: str = "step") -> Measured:
    return Measured(run.measure("interventions", [points], settings, schedule=name), MEASURE.layout)


def point_at(run: Run, iteration: int) -> Point:
    replay = run.replay()
    return Point(replay, replay.walk(), iteration, hessian_settings(), {})


def loss_of(point: Point, theta: torch.Tensor | None = None) -> float:
    theta = point.theta if theta is None else theta
    with torch.no_grad():
        return float(point.loss(theta))


def test_the_unchanged_arm_is_the_run_itself(run):
    """Bit for bit, across ends of epochs and where the plateau rule cuts the learning rate."""
    points = [3, run.replay().end - 7]
    taken = measured(run, points)
    for row, iteration in enumerate(points):
        states = run.replay().states(range(iteration, iteration + 8))
        losses = []
        for state in states:
            losses.append(loss_of(point_at(run, state.iteration)))
        assert_array_equal(taken["loss"][row, 0], losses)
        assert not np.array_equal(taken["loss"][row, 1, 1:], losses[1:])
    assert_array_equal(taken["loss"][:, 1, 0], taken["loss"][:, 0, 0])


def test_its_states_are_those_of_the_run(run):
    replay = run.replay()
    state = replay.snapshot(0)
    for expected in replay.states(range(1, replay.end + 1)):
        state = next_state(replay.problem, state)
        assert torch.equal(state.theta, expected.theta)
        assert torch.equal(state.buffers, expected.buffers)
        assert torch.equal(state.velocity, expected.velocity)
        assert (state.iteration, state.lr) == (expected.iteration, expected.lr)
    assert (state.lr < run.settings.lr) == (run.settings.rule == "plat")


def test_an_arm_continues_after_the_end(sgd, tmp_path):
    """As a longer run would continue."""
    longer = Run(tmp_path, sgd.settings.model_copy(update={"epochs": 6})).train()
    end = sgd.replay().end
    assert_array_equal(measured(sgd, [end])["loss"], measured(longer, [end])["loss"])


def by_hand(run: Run, iteration: int, lr: float, momentum: float, size: int) -> list[float]:
    """The losses of seven updates on batches that continue in the run's order of examples."""
    point, examples = point_at(run, iteration), run.settings.batch_size
    order = [point.data.stream.batch(update) for update in range(iteration, iteration + 8)]
    inputs, targets = (torch.cat([getattr(batch, name) for batch in order]) for name in ("inputs", "targets"))
    assert size * 7 <= 8 * examples
    theta, velocity, losses = point.theta.clone(), point.state.velocity.clone(), [loss_of(point)]
    for update in range(7):
        rows = slice(update * size, (update + 1) * size)
        moving = theta.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(point.problem.model.loss(moving, inputs[rows], targets[rows]), moving)
        velocity = momentum * velocity - lr * gradient
        theta = theta + velocity
        losses.append(loss_of(point, theta))
    return losses


def test_changed_arms_are_steps_of_that_rate_momentum_and_size(sgd):
    """With a whole number of batches left in the epoch; the velocity is kept."""
    settings = Settings(arms=("sgd", "lr1.5", "m0.9", "S0.5"), updates=7)
    taken = measured(sgd, [5], settings, "changes")
    lr = sgd.settings.lr
    expected = [(lr, 0.5, 8), (1.5 * lr, 0.5, 8), (lr, 0.9, 8), (lr, 0.5, 4)]
    for arm, (rate, momentum, size) in enumerate(expected):
        np.testing.assert_allclose(taken["loss"][0, arm], by_hand(sgd, 5, rate, momentum, size), rtol=1e-5)


def test_momentum_starts_from_zero_velocity(tmp_path):
    run = Run(tmp_path).train()
    loss = measured(run, [4], Settings(arms=("sgd", "m0.9"), updates=3))["loss"][0]
    assert loss[0, 1] == loss[1, 1]
    assert loss[0, 2] != loss[1, 2]


def test_an_arm_that_diverges_is_infinite(sgd):
    taken = measured(sgd, [2], Settings(arms=("sgd", "lr1e30"), updates=4), "diverges")
    assert taken["spike"][0].tolist() == [1, np.inf]
    assert taken["catapult"][0].tolist() == [0, 1]
    assert taken["diverged"][0, 0] == -1
    assert 1 <= taken["diverged"][0, 1] <= 4


def test_a_point_is_the_same_alone(sgd):
    together = measured(sgd, [2, 6])
    assert_array_equal(measured(sgd, [6], name="alone")["loss"][0], together["loss"][1])


def test_a_killed_measurement_resumes_after_its_last_point(sgd, monkeypatch):
    points, taken, alive = [0, 4, 9, 15], [], [True, True, False, True, True]
    whole = measured(sgd, points, name="whole")
    original = of_point.measure

    def dies_at_the_third(point: Point, settings: Settings) -> dict[str, Any]:
        if not alive.pop(0):
            raise KeyboardInterrupt
        taken.append(point.iteration)
        return original(point, settings)

    monkeypatch.setattr(of_point, "measure", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        measured(sgd, points, name="killed")
    resumed = measured(sgd, points, name="killed")
    assert taken == points
    for dataset in MEASURE.layout.datasets:
        assert_array_equal(resumed[dataset.name], whole[dataset.name])


@pytest.mark.parametrize("arms", [(), ("sgd",), ("lr1.5", "sgd"), ("lr1.5", "S0.5"), ("sgd", "lr2", "lr2")])
def test_arms_are_the_unchanged_one_and_changes(arms):
    with pytest.raises(ConfigError, match=rf"^arms {', '.join(arms) or 'none'} should be sgd, the unchanged run,"):
        MEASURE.check(Settings(arms=arms), Taken({}, None))


@pytest.mark.parametrize(
    ("arm", "run", "complaint"),
    [
        ("lr1", run_settings(), "changes nothing"),
        ("S1", run_settings(), "changes nothing"),
        ("m0.5", run_settings(momentum=0.5), "changes nothing"),
        ("S0.01", run_settings(), "outside of 1 to 40 training examples"),
        ("S6", run_settings(), "outside of 1 to 40 training examples"),
        ("S0.5", full_batch_settings(), "the batch size of a full batch is fixed"),
        ("top", run_settings(), "is not one of"),
        ("eta2", run_settings(), "is not one of"),
        ("lr2", run_settings(nudge=nsgd_settings()), "whose step is scaled"),
    ],
)
def test_a_run_that_cannot_take_an_arm_is_refused_before_anything_runs(arm: str, run: RunSettings, complaint: str):
    with pytest.raises(ConfigError, match=rf"^arms: variant '{arm}'.*{complaint}") as error:
        MEASURE.check_run(Settings(arms=("sgd", arm)), run)
    assert "\n" not in str(error.value)


def test_a_forecast_counts_all_arms():
    planned = Planned(run_settings(), hessian_settings(), 0, 0)
    cost = MEASURE.cost(Settings(arms=("sgd", "lr2", "S0.5"), updates=10), planned)
    assert (cost.gradients, cost.forwards, cost.held) == (25, 3 * 11 * 20, 4)
