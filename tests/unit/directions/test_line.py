"""The loss along a line, interpolated, against the loss itself."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from builders import Run
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sharpest.directions.line import LossLine, loss_profile
from sharpest.losses import clean_loss
from sharpest.training.problem import Problem

# the points of the paper's scale, in mean step lengths
HALF = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8, 12, 16]
GRID = np.array([-x for x in reversed(HALF)] + [0.0] + HALF)


class Counted:
    """A loss that counts how often it is asked."""

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


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5), st.lists(st.floats(-16, 16), min_size=1, max_size=5))
def test_a_quadratic_is_exact(constant, slope, curvature, distances):
    line, loss = line_of(lambda s: constant + slope * s + curvature * s * s)
    at = np.array(distances)
    np.testing.assert_allclose(line.at(at), constant + slope * at + curvature * at**2, atol=1e-9)
    assert loss.asked == 0


def test_beyond_the_profile_the_loss_itself_is_asked():
    line, loss = line_of(lambda s: np.cosh(s / 8))
    values = line.at(np.array([-20.0, 1.1, 17.0]))
    assert loss.asked == 2
    assert [values[0], values[2]] == [np.cosh(20 / 8), np.cosh(17 / 8)]
    assert values[1] == pytest.approx(np.cosh(1.1 / 8), rel=1e-6)


@pytest.mark.parametrize("broken", [float("inf"), float("nan")])
def test_next_to_a_loss_that_is_not_finite_the_loss_itself_is_asked(broken):
    """It breaks beyond 7: between 6 and 8 there is nothing to interpolate, below 6 there is."""
    line, loss = line_of(lambda s: s * s if s < 7 else broken)
    at = np.array([-16.0, 3.3, 5.9, 6.5, 7.5, 14.0])
    np.testing.assert_allclose(line.at(at), [256.0, 3.3**2, 5.9**2, 6.5**2, broken, broken], rtol=1e-12)
    assert loss.asked == 3


@pytest.mark.parametrize("grid", [GRID, np.array([-1.0, 0.0, 1.0])])
def test_with_too_few_finite_values_the_loss_itself_is_asked(grid):
    line, loss = line_of(lambda s: s * s if abs(s) < 0.3 else float("nan"), grid)
    np.testing.assert_allclose(line.at(np.array([0.1, 0.26, 0.5])), [0.01, 0.26**2, float("nan")])
    assert loss.asked == 3


def test_where_the_start_is_not_finite_the_loss_itself_is_asked():
    line, loss = line_of(lambda s: float("nan") if s == 0 else s)
    np.testing.assert_array_equal(line.at(np.array([0.0, 2.0])), [float("nan"), 2.0])
    assert loss.asked == 2


@pytest.fixture(scope="module")
def problem(tmp_path_factory) -> Problem:
    return Run(tmp_path_factory.mktemp("line")).problem()


@pytest.mark.parametrize("iteration", [30, 60])
@pytest.mark.parametrize("length", [0.01, 0.1])
def test_on_a_net_it_is_close_to_the_loss(problem, iteration, length):
    """Along the gradient and a random direction, over steps short and long, up to six of them.

    The bound is what kinks leave: the loss is that of a small ReLU net on few examples.
    """
    theta = problem.model.initial()
    for step in range(iteration):
        theta = theta - 0.1 * problem.gradient(theta, problem.data.stream.batch(step))
    random = torch.randn(len(theta), generator=torch.Generator().manual_seed(iteration))
    gradient = problem.gradient(theta, problem.data.train)
    between = np.linspace(-6 * length, 6 * length, 101)

    def loss(at: Tensor) -> float:
        with torch.no_grad():
            return float(clean_loss(problem, at, 40, 8))

    for direction in (gradient / gradient.norm(), random / random.norm()):
        distances = GRID * length
        values = loss_profile(loss, theta, direction, distances.tolist())
        exact = loss_profile(loss, theta, direction, between.tolist())
        found = LossLine(loss, theta, direction, distances, values).at(between)
        assert np.abs(found - exact).max() < 4e-3 * np.abs(exact - values[13]).max()
