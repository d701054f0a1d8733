"""The loss along a line, interpolated, compared with the loss itself."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from builders import Run
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sharpest.measures.directions.measure import ROUNDING, LossLine, loss_profile
from sharpest.trajectory.problem import Problem

# the points of the paper's scale, in mean step lengths
HALF = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8, 12, 16]
GRID = np.array([-x for x in reversed(HALF)] + [0.0] + HALF)


class Counted:
    """A loss that counts its evaluations."""

    def __init__(self, loss: Callable[[Tensor], float]) -> None:
        self._loss = loss
        self.asked = 0

    def __call__(self, theta: Tensor) -> float:
        self.asked += 1
        return self._loss(theta)


def line_of(along: Callable[[float], float], grid: np.ndarray = GRID) -> tuple[LossLine, Counted]:
    """A line through the origin of one dimension, along which the loss is a function of the distance."""
    loss = Counted(lambda theta: along(float(theta[0])))
    theta, direction = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    values = loss_profile(loss, theta, direction, grid.tolist())
    loss.asked = 0
    return LossLine(loss, theta, direction, grid, values), loss


def test_the_profile_is_the_loss_at_each_distance():
    theta, direction = torch.tensor([1.0, -2.0]), torch.tensor([0.6, 0.8])
    before = theta.clone()
    values = loss_profile(lambda at: float(at[0] * 3 + at[1] ** 2), theta, direction, [-1, 0, 2.5])
    expected = [3 * (1 + 0.6 * s) + (-2 + 0.8 * s) ** 2 for s in (-1, 0, 2.5)]
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert torch.equal(theta, before)


def singly(line: LossLine, distances: list[float]) -> np.ndarray:
    """The change at each distance, as a mean over one sample."""
    return line.mean_changes(np.array(distances)[:, None])[0]


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5), st.lists(st.floats(-16, 16), min_size=1, max_size=5))
def test_a_cubic_is_exact(slope, curvature, third, distances):
    line, _ = line_of(lambda s: 3 + slope * s + curvature * s**2 + third * s**3)
    at = np.array(distances)
    # a change within the rounding of a float32 loss of 3 may be slightly off
    np.testing.assert_allclose(singly(line, distances), slope * at + curvature * at**2 + third * at**3, atol=1e-7)


def test_a_smooth_loss_is_interpolated():
    line, loss = line_of(lambda s: 1 + np.cosh(s / 8))
    np.testing.assert_allclose(singly(line, [3.3, -7.1]), np.cosh([3.3 / 8, 7.1 / 8]) - 1, rtol=1e-3)
    np.testing.assert_allclose(singly(line, [14.5, -14.5]), np.cosh([14.5 / 8, 14.5 / 8]) - 1, rtol=1e-2)  # at the ends
    assert loss.asked == 0


def test_the_mean_is_over_samples():
    line, _ = line_of(lambda s: s * s)
    np.testing.assert_allclose(line.mean_changes(np.array([[1.0, 3.0], [0.0, -2.0]]))[0], [5, 2], rtol=1e-9)


def test_beyond_the_profile_the_loss_is_evaluated():
    line, loss = line_of(lambda s: np.cosh(s / 8))
    values = singly(line, [-20.0, 17.0])
    assert loss.asked == 2
    assert values.tolist() == [np.cosh(20 / 8) - 1, np.cosh(17 / 8) - 1]


@pytest.mark.parametrize("broken", [float("inf"), float("nan")])
def test_next_to_a_non_finite_loss_the_loss_is_evaluated(broken):
    """The loss is not finite beyond 7: it cannot be interpolated between 6 and 8, but below 6 it can."""
    line, loss = line_of(lambda s: s * s if s < 7 else broken)
    np.testing.assert_allclose(singly(line, [3.3, 5.9, 6.5, 7.5]), [3.3**2, 5.9**2, 6.5**2, broken], rtol=1e-12)
    assert loss.asked == 2


def test_one_non_finite_sample_does_not_affect_other_rows():
    line, _ = line_of(lambda s: abs(s) if s < 7 else float("nan"))
    actual = line.mean_changes(np.array([[1.1, 7.5], [0.1, -0.2], [2.2, -3.3]]))[0]
    np.testing.assert_allclose(actual, [float("nan"), 0.15, 2.75], rtol=0.01)


@pytest.mark.parametrize("grid", [GRID, np.array([-1.0, 0.0, 1.0])])
def test_with_too_few_finite_values_the_loss_is_evaluated(grid):
    line, loss = line_of(lambda s: s * s if abs(s) < 0.3 else float("nan"), grid)
    np.testing.assert_allclose(singly(line, [0.1, 0.26, 0.5]), [0.01, 0.26**2, float("nan")])
    assert loss.asked == 3 - (0.5 in grid)


def test_from_a_non_finite_start_there_is_no_change():
    line, _ = line_of(lambda s: float("nan") if s == 0 else s)
    assert np.isnan(singly(line, [0.0, 2.0])).all()


def test_a_step_of_no_length_changes_nothing():
    line, loss = line_of(lambda s: 1 + s, GRID * 0)
    assert singly(line, [0.0, 0.0]).tolist() == [0, 0]
    assert loss.asked == 0


@pytest.mark.parametrize("kink", [0.1, 1.2, 2.5])
def test_a_kink_is_refined(kink):
    """Some distances are evaluated, fewer than requested. One strong kink is the worst case for the estimate."""
    line, loss = line_of(lambda s: 1 + s + 10 * abs(s - kink))
    distances = np.outer([0.25, 0.5, 1, 2, 4], np.linspace(-0.5, 2.5, 12))
    exact = (distances + 10 * np.abs(distances - kink) - 10 * abs(kink)).mean(axis=1)
    np.testing.assert_allclose(line.mean_changes(distances)[0], exact, rtol=0.04)
    assert 0 < loss.asked < distances.size / 2


def test_an_irregular_loss_is_evaluated_everywhere():
    draws = {}
    line, _ = line_of(lambda s: draws.setdefault(s, float(np.random.default_rng(len(draws)).normal())))
    distances = np.linspace(-3, 3, 20).reshape(4, 5)
    actual = line.mean_changes(distances)[0]
    exact = np.vectorize(draws.get)(distances, np.nan).mean(axis=1) - draws[0.0]
    measured = ~np.isnan(exact)
    assert measured.sum() >= 3
    np.testing.assert_allclose(actual[measured], exact[measured])


def test_a_change_within_the_rounding_is_not_refined():
    line, loss = line_of(lambda s: float(np.float32(2 + 1e-8 * abs(s - 0.1))))
    singly(line, [0.2, 0.3])
    assert loss.asked == 0


@pytest.fixture(scope="module")
def problem(tmp_path_factory) -> Problem:
    return Run(tmp_path_factory.mktemp("line")).problem()


@pytest.mark.parametrize("iteration", [30, 60])
@pytest.mark.parametrize("lr", [0.1, 0.5])
def test_on_a_net_it_is_the_mean_change_of_each_alpha(problem, iteration, lr):
    """Along the gradient and a random direction, for ten gradients and the alphas of the paper.

    The loss is that of a small ReLU net on few examples, with many kinks; in float64, because rounding hides small
    changes.
    """
    theta = problem.model.initial()
    for step in range(iteration):
        theta = theta - 0.1 * problem.gradient(theta, problem.data.stream.batch(step))
    gradients = torch.stack([problem.gradient(theta, problem.data.stream.sample(f"{m}", 0, 8)) for m in range(10)])
    random = torch.randn(len(theta), generator=torch.Generator().manual_seed(iteration))
    mean = gradients.mean(dim=0)

    @Counted
    def loss(at: Tensor) -> float:
        with torch.no_grad():
            return float(problem.mean_loss(at, problem.data.train.first(40), 8))

    theta = theta.double()
    for unit in (mean.double() / mean.norm(), random.double() / random.norm()):
        steps = lr * (gradients.double() @ unit).numpy()
        distances = GRID * np.abs(steps).mean()
        values = loss_profile(loss, theta, unit, distances.tolist())
        scaled = -np.outer([0.25, 0.33, 0.5, 1, 2, 3, 4], steps)
        exact = loss_profile(loss, theta, unit, scaled.ravel().tolist()).reshape(scaled.shape).mean(axis=1) - values[13]
        loss.asked = 0
        actual, error = LossLine(loss, theta, unit, distances, values).mean_changes(scaled)
        assert np.all(np.abs(actual - exact) <= 0.01 * np.abs(exact) + 1e-9 * values[13])
        # an estimate, not a bound
        assert np.all(np.abs(actual - exact) <= 2 * error + 1e-9 * values[13])
        assert np.all(error <= 0.015 * np.abs(actual) + ROUNDING * values[13])
        assert loss.asked <= scaled.size / 2


def test_a_known_start_is_not_reevaluated() -> None:
    asked = []

    def loss(at: torch.Tensor) -> float:
        asked.append(float(at[0]))
        return float(at[0]) ** 2

    values = loss_profile(loss, torch.ones(1), torch.ones(1), [-1.0, 0.0, 1.0], start=1.5)
    np.testing.assert_array_equal(values, [0.0, 1.5, 4.0])
    assert asked == [0.0, 2.0]


@pytest.mark.parametrize("seed", [126, 307, 507])
def test_a_mean_that_stays_uncertain_is_measured_at_all_its_samples(seed: int) -> None:
    """Between close points, kinks mislead the estimate: refined one by one, these means are off by 2 %."""
    draw = np.random.default_rng(seed)
    kinks, slopes = draw.uniform(-2, 2, 40), draw.normal(size=40)

    def along(distance: float) -> float:
        return 1 + 0.01 * float((slopes * np.maximum(distance - kinks, 0)).sum())

    line, loss = line_of(along)
    samples = 0.5 * draw.normal(size=(1, 20))
    exact = np.mean([along(distance) - along(0.0) for distance in samples[0]])
    np.testing.assert_allclose(line.mean_changes(samples)[0], exact, rtol=1e-9)
    assert loss.asked == samples.size
