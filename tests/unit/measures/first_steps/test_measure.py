"""First steps of descent from a state of a run, compared with float64 and dense Hessians."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import Run, hessian_settings, run_settings

from sharpest.config.measures import Planned, Taken
from sharpest.errors import ConfigError
from sharpest.measures.first_steps import MEASURE, Settings
from sharpest.measures.first_steps.measure import measure
from sharpest.measures.point import Point
from sharpest.results.stored import Measured

SETTINGS = Settings(num_steps=3, lowest=1, highest=2048, per_octave=1)
L2 = 0.01


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Run(tmp_path_factory.mktemp("first"), run_settings(l2=L2)).train()


@pytest.fixture(scope="module")
def taken(run) -> Measured:
    return Measured(run.measure("first_steps", [[0, 5]], SETTINGS), MEASURE.layout)


def loss_at(point: Point):
    """The loss on the Hessian examples, which are selected before autograd runs."""
    model, inputs, targets = point.problem.model, point.inputs, point.targets
    return lambda theta: model.loss(theta, inputs, targets)


def test_losses_and_sharpness_are_those_of_float64(run, taken):
    """Small steps, for which float32 and float64 stay together; no path crosses a kink of ReLU."""
    np.testing.assert_allclose(taken["factor"], 2.0 ** np.arange(12))
    for row, iteration in [(1, 5)]:
        replay = run.replay()
        point = Point(replay, replay.walk(), iteration, hessian_settings(), {})

        loss = loss_at(point)

        for column in (0, 2):
            theta = point.theta.double()
            for step in range(4):
                values = torch.linalg.eigvalsh(torch.func.hessian(loss)(theta))
                assert taken["loss"][row, column, step] == pytest.approx(float(loss(theta)), rel=1e-4)
                assert taken["sharpness"][row, column, step] == pytest.approx(float(values[-1]), rel=1e-4)
                if step == 0:
                    first = float(values[-1])
                    assert taken["lambda_0"][row] == pytest.approx(first, rel=1e-4)
                theta = theta - taken["factor"][column] / first * torch.func.grad(loss)(theta)


def test_a_descent_ends_where_it_diverges(taken):
    for losses, sharp in zip(taken["loss"].reshape(-1, 4), taken["sharpness"].reshape(-1, 4), strict=True):
        diverged = ~(losses <= 1e5 * losses[0])
        end = int(np.argmax(diverged)) if diverged.any() else 4
        assert np.isfinite(losses[:end]).all()
        assert np.isfinite(sharp[:end]).all()
        assert np.isnan(sharp[end:]).all()
        assert np.isnan(losses[end + 1 :]).all()
    assert np.isnan(taken["sharpness"]).any()


def test_thresholds_are_in_the_file(taken):
    factors = taken["factor"]
    for row in range(2):
        losses, sharp = taken["loss"][row], np.nan_to_num(taken["sharpness"][row])
        risen = ~(losses <= losses[:, :1] * (1 + 1e-6)).all(axis=1)
        assert taken["c_loss"][row] == factors[np.argmax(risen)]
        assert taken["c_sharp"][row] == factors[np.argmax((sharp > sharp[:, :1] * (1 + 1e-5)).any(axis=1))]
        diverged = ~(losses <= 1e5 * losses[0, 0]).all(axis=1)
        assert taken["c_max"][row] == factors[np.argmax(diverged) - 1]
        assert taken["c_loss"][row] <= taken["c_max"][row] < factors[-1]


def test_what_counts_as_divergence_is_a_multiple_of_the_first_loss(run):
    settings = SETTINGS.model_copy(update={"divergence": 1.05})
    few = Measured(run.measure("first_steps", [[0]], settings, schedule="few"), MEASURE.layout)
    losses = few["loss"][0]
    diverged = ~(losses <= 1.05 * losses[0, 0]).all(axis=1)
    assert few["c_max"][0] == few["factor"][np.argmax(diverged) - 1]


def test_a_point_is_the_same_alone(run, taken):
    """Nothing is carried over."""
    alone = Measured(run.measure("first_steps", [[5]], SETTINGS, schedule="alone"), MEASURE.layout)
    np.testing.assert_array_equal(alone["loss"][0], taken["loss"][1])
    np.testing.assert_array_equal(alone["sharpness"][0], taken["sharpness"][1])


def test_the_grid():
    def factors(**changes):
        return MEASURE.constants(Settings(**changes))["factor"]

    np.testing.assert_allclose(factors(), 2 ** (np.arange(51) / 10))
    np.testing.assert_allclose(factors(lowest=0.5, highest=4, per_octave=2), 2 ** (np.arange(-2, 5) / 2))
    assert factors(highest=3, per_octave=1).tolist() == [1, 2]


def test_a_grid_that_ends_before_it_begins_is_refused():
    with pytest.raises(ConfigError, match=r"^highest 1 is not above lowest 2; raise highest$"):
        MEASURE.check(Settings(lowest=2, highest=1), Taken({}, None))


def test_a_non_finite_state_gives_nan(tmp_path: Path):
    replay = Run(tmp_path).train().replay()
    point = Point(replay, replay.walk(), 3, hessian_settings(), {})
    point.__dict__["state"] = replace(point.state, theta=point.theta * math.nan)
    values = measure(point, SETTINGS)
    assert math.isnan(values["lambda_0"])
    assert math.isnan(values["c_max"])


def test_a_forecast_grows_with_the_grid():
    planned = Planned(run_settings(), hessian_settings(), 0, 0)
    small, large = (MEASURE.cost(SETTINGS.model_copy(update={"num_steps": n}), planned) for n in (3, 6))
    assert (large.products, large.gradients) == (2 * small.products, 2 * small.gradients)
