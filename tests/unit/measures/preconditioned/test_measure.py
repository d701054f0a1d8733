"""Preconditioned eigenvalues along runs of adaptive optimizers, against dense matrices in float64."""

from typing import Any

import numpy as np
import pytest
import torch
from builders import Run, dense_hessian, hessian_settings, run_settings

from sharpest.errors import ConfigError
from sharpest.measures.preconditioned import MEASURE, Settings
from sharpest.results.stored import Measured
from sharpest.trajectory.state import TrainingState

KINDS: dict[str, dict[str, Any]] = {
    "adam": {"optimizer": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "lr": 0.01},
    "large epsilon": {"optimizer": "adam", "beta1": 0.5, "beta2": 0.9, "epsilon": 0.01, "lr": 0.01},
    "adamw": {
        "optimizer": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.1, "lr": 0.01,
    },
    "rmsprop": {"optimizer": "rmsprop", "beta2": 0.99, "epsilon": 1e-8, "lr": 0.001},
}  # fmt: skip
POINTS = [0, 1, 6]


@pytest.fixture(scope="module", params=KINDS)
def run(request, tmp_path_factory) -> Run:
    return Run(tmp_path_factory.mktemp("preconditioned"), run_settings(epochs=2, **KINDS[request.param])).train()


def take(run: Run, points: list[int], count: int = 2, name: str = "step") -> Measured:
    hessian = hessian_settings(tolerance=1e-4)
    path = run.measure("preconditioned", [points], Settings(num_eigenpairs=count), schedule=name, hessian=hessian)
    return Measured(path, MEASURE.layout)


@pytest.fixture(scope="module")
def measured(run) -> Measured:
    return take(run, POINTS)


def exact(run: Run, state: TrainingState) -> tuple[np.ndarray, float]:
    """The two largest eigenvalues by magnitude, and the floor share of the first vector."""
    problem, settings = run.problem(), run.settings
    train = problem.data.train
    inputs, targets = train.inputs[:20], train.targets[:20]
    dense = dense_hessian(lambda at: problem.model.loss(at, inputs, targets), state.theta.double())
    second, corrected = state.second_moment.double().numpy(), settings.optimizer != "rmsprop"
    root = np.sqrt(second / (1 - settings.beta2**state.iteration if corrected else 1))
    divisor = (1 - settings.beta1**state.iteration if corrected else 1) * (root + settings.epsilon)
    s = divisor**-0.5
    values, vectors = np.linalg.eigh(s[:, None] * np.asarray(dense) * s)
    order = np.argsort(-np.abs(values))[:2]
    order = order[np.argsort(-values[order])]
    floor = (vectors[:, order[0]] ** 2)[root < 10 * settings.epsilon].sum()
    return values[order], float(floor)


def test_eigenvalues_are_those_of_the_dense_matrix(run, measured):
    walk = run.replay().walk()
    for row, iteration in enumerate(POINTS[1:], start=1):
        values, floor = exact(run, walk.to(iteration))
        np.testing.assert_allclose(measured["eigenvalues"][row], values, rtol=1e-4)
        assert measured["preconditioned_sharpness"][row] == measured["eigenvalues"][row, 0]
        assert measured["floor_share"][row] == pytest.approx(floor, abs=1e-3)
        assert measured["converged"][row].all()
        assert measured["products"][row] > 2
    if run.settings.epsilon == 0.01:
        assert (measured["floor_share"][1:] > 0.5).all()


def test_before_the_first_update_values_are_nan(measured):
    for name in ("preconditioned_sharpness", "eigenvalues", "residuals", "floor_share"):
        assert np.isnan(measured[name][0]).all()
    assert measured["products"][0] == 0
    assert not measured["converged"][0].any()


def test_a_point_starts_from_the_previous_one(run):
    """A different start finds the same with more products."""
    both, alone = take(run, [5, 6]), take(run, [6], name="alone")
    np.testing.assert_allclose(both["eigenvalues"][1], alone["eigenvalues"][0], rtol=1e-3)
    assert not torch.equal(torch.from_numpy(both["residuals"][1]), torch.from_numpy(alone["residuals"][0]))


def test_sgd_is_refused():
    with pytest.raises(
        ConfigError, match="its optimizer sgd has no second moment for a preconditioner; measure spectra"
    ):
        MEASURE.check_run(Settings(), run_settings())
    MEASURE.check_run(Settings(), run_settings(**KINDS["rmsprop"]))
