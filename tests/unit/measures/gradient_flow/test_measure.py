"""The gradient flow of full-batch runs, compared with SciPy's in float64."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import VGG, Run, branch_settings, full_batch_settings, hessian_settings, nsgd_settings, run_settings
from scipy.integrate import solve_ivp
from torch import nn

from sharpest.config.measures import Planned
from sharpest.errors import ConfigError, SharpestError
from sharpest.measures.gradient_flow import MEASURE, Settings
from sharpest.models.flat import FlatModel
from sharpest.results.stored import Measured
from sharpest.trajectory.problem import Problem

POINTS = [0, 2, 5, 12]


class Smooth(Run):
    """With a tanh net: at kinks SciPy takes as many steps as our code, too many for a test."""

    def problem(self) -> Problem:
        problem = super().problem()
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Tanh(), nn.Linear(5, 3))
        return replace(problem, model=FlatModel(net, self.settings.l2))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Smooth(tmp_path_factory.mktemp("flow"), full_batch_settings(l2=0.01)).train()


def taken(run: Run, segments: list[list[int]], settings: Settings, name: str = "step") -> Measured:
    return Measured(run.measure("gradient_flow", segments, settings, schedule=name), MEASURE.layout)


@pytest.fixture(scope="module")
def fine(run) -> Measured:
    return taken(run, [POINTS], Settings(tolerance=1e-8), "fine")


def test_the_distance_is_that_of_scipy(run, fine):
    """The training loss includes L2."""
    problem, states = run.problem(), {state.iteration: state for state in run.replay().states(POINTS)}
    batch = problem.data.train.first(12)

    def slope(time, values):
        theta = torch.from_numpy(values).requires_grad_()
        loss = problem.model.loss(theta, batch.inputs, batch.targets)
        return -torch.autograd.grad(loss, theta)[0].numpy()

    times = 0.1 * np.array(POINTS)
    np.testing.assert_allclose(fine["flow_time"], times)
    start = states[0].theta.double().numpy()
    flow = solve_ivp(slope, (0, times[-1]), start, "DOP853", times, rtol=1e-10, atol=1e-12).y.T
    for row, point in enumerate(POINTS):
        theta = states[point].theta.double()
        expected = np.linalg.norm(theta.numpy() - flow[row])
        assert fine["distance"][row] == pytest.approx(expected, rel=1e-4, abs=1e-9)
        losses = [problem.model.loss(at, batch.inputs, batch.targets) for at in (theta, torch.from_numpy(flow[row]))]
        assert fine["loss"][row] == pytest.approx(float(losses[0]), rel=1e-10)
        assert fine["flow_loss"][row] == pytest.approx(float(losses[1]), rel=1e-6)
    assert fine["distance"][-1] > 1e-3


def test_the_default_is_accurate_enough(run, fine):
    coarse = taken(run, [POINTS], Settings())
    np.testing.assert_allclose(coarse["distance"], fine["distance"], rtol=1e-3)
    assert coarse["gradients"].sum() < fine["gradients"].sum() / 3


def test_a_segment_begins_at_the_start(run, fine):
    parts = taken(run, [POINTS[:2], POINTS[2:]], Settings(tolerance=1e-8), "parts")
    np.testing.assert_allclose(parts["distance"], fine["distance"], rtol=1e-4, atol=1e-9)
    assert parts["gradients"][2] > fine["gradients"][2]


def test_a_branch_flows_from_its_branch_point(run, tmp_path: Path):
    branch = Run(tmp_path, branch_settings(full_batch_settings(), 2)).train()
    actual = taken(branch, [[6, 8]], Settings())
    assert actual["distance"][0] == 0
    np.testing.assert_allclose(actual["flow_time"], [0, 0.2])
    assert 0 < actual["distance"][1] < 0.1


REFUSED = {
    "mini-batches": run_settings(),
    "momentum": full_batch_settings(momentum=0.9),
    "nudge": full_batch_settings(nudge=nsgd_settings()),
    "plateau": full_batch_settings(rule="plat", patience=1),
    "clipping": full_batch_settings(clip_norm=1.0),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_runs_are_refused_when_they_are_planned(kind):
    MEASURE.check_run(Settings(), full_batch_settings())
    with pytest.raises(ConfigError, match=r"^a gradient flow is compared with plain gradient descent: .*-fb"):
        MEASURE.check_run(Settings(), REFUSED[kind])


def test_a_net_with_another_training_loss_is_refused_at_its_first_point(tmp_path: Path):
    """Dropout and batch statistics."""
    run = Run(tmp_path, full_batch_settings(model=VGG, lr=0.01)).train()
    with pytest.raises(SharpestError, match=r"^scnn-.*: gradient_flow: training descends another loss"):
        taken(run, [[0, 3]], Settings())


def test_a_forecast_counts_the_way_from_the_start():
    run, hessian = full_batch_settings(), hessian_settings()
    early, late = (MEASURE.cost(Settings(), Planned(run, hessian, point, 0)).gradients for point in (3, 9))
    assert late - early == pytest.approx((early - 2) * 2)
