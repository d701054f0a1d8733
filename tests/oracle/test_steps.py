"""Critical steps, first steps and gradient flow, against closed forms or another method."""

import math

import numpy as np
import pytest
import torch
from problems import SmallProblem, linear_regression, reduced_net, rng, softmax_regression, two_layer_linear_net
from scipy.integrate import solve_ivp

from sharpest.curvature.critical import (
    BRACKETED,
    NEVER_RISES,
    NOT_FINITE,
    RISES_AT_ONCE,
    WITHIN_ROUNDING,
    critical_step,
    directional_sharpness,
)
from sharpest.curvature.descent import descend, gradient_flow, mean_gradient, thresholds
from sharpest.curvature.lanczos import largest_eigenvalue

pytestmark = pytest.mark.core


def along(problem: SmallProblem, direction: torch.Tensor):
    """A function from eta to the mean loss at theta - eta D."""
    return lambda eta: problem.loss(problem.theta - eta * direction, problem.inputs, problem.targets)


# --- critical steps


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("start", [1e-2, 0.7, 40.0])
def test_on_a_quadratic_critical_is_directional_sharpness(seed, start):
    """Along a descent direction other than the gradient."""
    problem = linear_regression(9, seed)
    gradient = problem.gradient(problem.theta)
    direction = gradient + 0.3 * gradient.norm() * problem.vector(seed) / math.sqrt(6)
    operator = problem.hessian()
    expected = directional_sharpness(direction, operator.product(direction), operator.gradient)
    actual = critical_step(along(problem, direction), start)
    assert actual.outcome == BRACKETED
    assert actual.low <= 2 / expected <= actual.high
    assert 1 - actual.low / actual.high <= 1 / 16
    assert actual.value == pytest.approx(2 / expected, rel=1 / 32)


def test_the_directional_sharpness_of_the_gradient_is_a_mean_of_eigenvalues():
    problem = two_layer_linear_net(7, 0)
    gradient = problem.gradient(problem.theta)
    values, vectors = torch.linalg.eigh(problem.dense_hessian())
    weights = (vectors.T @ gradient) ** 2
    operator = problem.hessian()
    actual = directional_sharpness(gradient, operator.product(gradient), operator.gradient)
    assert actual == pytest.approx(float((weights * values).sum() / weights.sum()), rel=1e-10)
    assert actual < values[-1]
    assert math.isnan(directional_sharpness(torch.zeros(15), torch.zeros(15), gradient))


@pytest.mark.parametrize("name", ["text-cnn", "lstm"])
def test_the_critical_step_of_a_net_is_where_a_dense_grid_first_rises(name):
    problem = reduced_net(name, steps=3)
    gradient = problem.gradient(problem.theta)
    actual = critical_step(along(problem, gradient), 0.05, tolerance=1e-4)
    grid = np.linspace(actual.value / 200, 1.1 * actual.value, 220)
    losses = np.array([float(along(problem, gradient)(eta)) for eta in grid])
    first = grid[np.argmax(losses > float(along(problem, gradient)(0.0)))]
    assert first - actual.value / 150 <= actual.value <= first


def test_the_start_changes_passes_and_the_result_within_the_tolerance():
    problem = softmax_regression(7, 0)
    line = along(problem, problem.gradient(problem.theta))
    found = [critical_step(line, start, 0.01) for start in (0.03, 1.0, 70.0)]
    np.testing.assert_allclose([each.value for each in found], found[0].value, rtol=0.01)
    assert critical_step(line, found[0].value).num_forwards <= 7 < critical_step(line, 1e-3).num_forwards


@pytest.mark.parametrize(
    ("loss", "outcome", "forwards"),
    [
        (lambda eta: 1 - eta, NEVER_RISES, 12),
        (lambda eta: 1 + eta, RISES_AT_ONCE, 12),
        (lambda eta: 1 + 0 * eta, WITHIN_ROUNDING, 12),
        (lambda eta: math.nan, NOT_FINITE, 1),
    ],
)
def test_the_reason_for_a_missing_step(loss, outcome, forwards):
    actual = critical_step(lambda eta: torch.tensor([loss(eta)], dtype=torch.float64), 0.5)
    assert (actual.outcome, actual.num_forwards) == (outcome, forwards)
    assert math.isnan(actual.value)
    assert math.isnan(actual.error)


def test_a_loss_that_overflows_has_risen():
    actual = critical_step(lambda eta: torch.tensor(1 - eta if eta < 3 else math.nan, dtype=torch.float64), 0.1)
    assert actual.outcome == BRACKETED
    assert actual.low < 3 <= actual.high


def near_flat(depth: float, dtype: torch.dtype):
    """Losses of 64 examples in a valley of a given depth, whose other side is at eta = 2, with the noise of float32."""
    noise = torch.Generator().manual_seed(0)
    level = 1 + torch.rand(64, generator=noise, dtype=torch.float64)

    def losses(eta: float) -> torch.Tensor:
        exact = level + depth * (eta * eta - 2 * eta)
        if dtype == torch.float64:
            return exact
        jitter = torch.finfo(dtype).eps * torch.randn(64, generator=noise, dtype=torch.float64).clamp(-2, 2)
        return (exact * (1 + jitter)).to(dtype)

    return losses


@pytest.mark.parametrize("start", [0.2, 0.9, 6.0])
def test_noise_does_not_decide(start):
    """A valley deeper than rounding is found; a shallower one is reported as within rounding; float64 finds both."""
    assert critical_step(near_flat(1e-4, torch.float32), start).value == pytest.approx(2, rel=0.05)
    for depth in (1e-4, 1e-9):
        assert critical_step(near_flat(depth, torch.float64), start).value == pytest.approx(2, rel=1 / 32)
    for depth in (1e-11, 0.0):
        assert critical_step(near_flat(depth, torch.float32), start).outcome in (WITHIN_ROUNDING, RISES_AT_ONCE)
    bracket = critical_step(near_flat(2e-6, torch.float32), 0.9)  # a change within rounding ends the bisection
    assert bracket.low < 2 < bracket.high


def test_within_rounding_float64_decides():
    """And float64 is used nowhere else."""
    evaluated = []

    def exact(eta):
        evaluated.append(eta)
        return near_flat(1e-9, torch.float64)(eta)

    actual = critical_step(near_flat(1e-9, torch.float32), 0.9, exact=exact)
    assert actual.value == pytest.approx(2, rel=1 / 32)
    assert actual.num_forwards > len(evaluated) > 5
    evaluated.clear()
    actual = critical_step(near_flat(1e-2, torch.float32), 0.9, exact=exact)
    assert actual.value == pytest.approx(2, rel=1 / 32)
    assert evaluated == []


@pytest.mark.parametrize("wrong", [{"start": 0.0}, {"start": math.inf}, {"start": 1.0, "tolerance": 0.0}])
def test_a_meaningless_start_or_tolerance_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must be above 0"):
        critical_step(lambda eta: torch.tensor(eta), **wrong)


# --- the largest algebraic eigenvalue


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("warm", [False, True])
def test_the_largest_signed_eigenvalue(sign, warm):
    """Whether or not an eigenvalue of larger magnitude is negative."""
    problem = two_layer_linear_net(7, 0)
    signed = SmallProblem(
        lambda theta, x, y: sign * problem.loss(theta, x, y), problem.theta, problem.inputs, problem.targets
    )
    values = torch.linalg.eigvalsh(signed.dense_hessian())
    assert (values[-1] > -values[0]) == (sign == 1)  # both cases occur
    hint = problem.vector(3) if warm else None
    actual = largest_eigenvalue(signed.hessian(3), 1e-8, 100, rng(1), hint)
    assert actual.value == pytest.approx(float(values[-1]), rel=1e-8)
    assert actual.converged
    image = signed.hessian().product(actual.vector)
    torch.testing.assert_close(image, actual.value * actual.vector, rtol=0, atol=1e-6)


# --- the first steps


def product_net(width: int, output: float) -> SmallProblem:
    """f = u.v / sqrt(width) on one example with target 0, from a given output; the loss is f^2 / 2."""
    u, v = torch.randn(2, width, generator=rng(0), dtype=torch.float64)
    v = v + (output * math.sqrt(width) - u @ v) / (u @ u) * u

    def loss(theta, x, y):
        return 0.5 * ((theta[:width] @ theta[width:]) / math.sqrt(width) * x - y).square().mean()

    return SmallProblem(
        loss, torch.cat([u, v]), torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    )


def descents(problem: SmallProblem, factors: np.ndarray, num_steps: int):
    """lambda_0, and descents computed by the engine."""
    chunks = problem.chunks(1)

    def sharpness(theta):
        moved = SmallProblem(problem.loss, theta, problem.inputs, problem.targets)
        return largest_eigenvalue(moved.hessian(), 1e-8, 200, rng(0)).value

    def gradient(theta):
        return mean_gradient(problem.loss, chunks, theta)

    # from an output near zero a catapult rises far
    start, largest = sharpness(problem.theta), 1e9 * gradient(problem.theta)[0]
    runs = [descend(gradient, sharpness, problem.theta, c / start, num_steps, largest) for c in factors]
    return start, np.stack([run.losses for run in runs]), np.stack([run.sharpness for run in runs]), largest


def test_the_catapult_of_two_linear_layers():
    """From an output near zero the loss rises from c = 2 on, and the net diverges from c = 4 on (Lewkowycz et al.)."""
    problem, factors = product_net(100, 0.01), 1.05 * 2 ** (np.arange(12) / 5)
    _, losses, sharpness, largest = descents(problem, factors, 40)
    actual = thresholds(factors, losses, sharpness, largest, 1e-6)
    assert actual.loss == factors[factors > 2][0]
    assert actual.largest == factors[factors < 4][-1]
    catapulted = (factors > 2.5) & (factors < 3.5)
    assert (losses[catapulted, -1] < 1e-3).all()
    assert (sharpness[catapulted, -1] < 0.9 * sharpness[catapulted, 0]).all()


def test_descents_are_those_of_float64_with_dense_hessians():
    problem, factors = product_net(6, 0.8), np.array([0.5, 1.7, 2.6, 3.1])
    start, losses, sharpness, _ = descents(problem, factors, 5)
    for row, c in enumerate(factors):
        theta = problem.theta
        for step in range(6):
            moved = SmallProblem(problem.loss, theta, problem.inputs, problem.targets)
            values = torch.linalg.eigvalsh(moved.dense_hessian())
            assert losses[row, step] == pytest.approx(float(problem.loss(theta, problem.inputs, problem.targets)))
            assert sharpness[row, step] == pytest.approx(float(values[-1]), rel=1e-6)
            theta = theta - c / start * moved.gradient(theta)


def test_thresholds_are_read_off_the_curves():
    nan, factors = math.nan, np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    losses = np.array([[1, 0.5, 0.2], [1, 1.1, 0.9], [1, 2, 0.1], [1, 1e7, nan], [1, 3, 0.1]])
    sharp = np.array([[4, 3, 2], [4, 4.0001, 1], [4, 4.2, 1], [4, nan, nan], [4, 9, 1]])
    actual = thresholds(factors, losses, sharp, 1e5, 1e-3)
    assert (actual.loss, actual.sharpness, actual.largest) == (2, 3, 3)
    within = np.array([[3.0, np.nextafter(np.float32(3), np.float32(4))], [3.0, 3.0 * (1 + 1e-6)]])
    assert thresholds(factors[:2], within, np.ones((2, 2)), 10, 1e-6).loss == 2
    none = thresholds(factors[:1], losses[:1], sharp[:1], 1e5, 1e-3)
    assert all(math.isnan(value) for value in vars(none).values())
    at_once = thresholds(factors[3:], losses[3:], sharp[3:], 1e5, 1e-3)
    assert (at_once.loss, at_once.sharpness) == (4, 5)
    assert math.isnan(at_once.largest)


# --- gradient flow


@pytest.mark.parametrize("make", [lambda: linear_regression(9, 0), lambda: two_layer_linear_net(7, 0)])
def test_the_flow_is_that_of_scipy(make):
    problem = make()
    actual = gradient_flow(problem.gradient, problem.theta, 1.5, tolerance=1e-9)
    exact = solve_ivp(
        lambda t, y: -problem.gradient(torch.from_numpy(y)).numpy(), (0, 1.5), problem.theta.numpy(), method="DOP853",
        rtol=1e-11, atol=1e-12,
    ).y[:, -1]  # fmt: skip
    moved = np.linalg.norm(exact - problem.theta.numpy())
    assert np.linalg.norm(actual.theta.numpy() - exact) < 1e-6 * moved


def test_the_flow_of_a_quadratic_and_its_late_steps():
    """theta decays by exp(-lambda t); stability limits the steps, so the number of gradients grows with time."""
    curvature = torch.tensor([30.0, 1.0, 0.1], dtype=torch.float64)
    actual = gradient_flow(lambda theta: curvature * theta, torch.ones(3, dtype=torch.float64), 8.0, tolerance=1e-6)
    torch.testing.assert_close(actual.theta, torch.exp(-8 * curvature), atol=1e-5, rtol=0)
    longer = gradient_flow(lambda theta: curvature * theta, torch.ones(3, dtype=torch.float64), 16.0, tolerance=1e-6)
    assert longer.num_gradients < 3 * actual.num_gradients


def test_a_short_flow_takes_one_step():
    """The first step moves theta by 1 %, and its slope is exact."""
    actual = gradient_flow(lambda theta: theta, torch.ones(2, dtype=torch.float64), 0.01)
    torch.testing.assert_close(actual.theta, torch.full((2,), math.exp(-0.01), dtype=torch.float64), atol=1e-9, rtol=0)
    assert actual.num_gradients == 4


def test_the_flow_in_parts_is_the_flow():
    problem = two_layer_linear_net(7, 0)
    theta, step = problem.theta, None
    for _ in range(4):
        part = gradient_flow(problem.gradient, theta, 0.25, 1e-9, step)
        theta, step = part.theta, part.step
    whole = gradient_flow(problem.gradient, problem.theta, 1.0, 1e-9).theta
    torch.testing.assert_close(theta, whole, rtol=0, atol=1e-6)
    assert torch.equal(gradient_flow(problem.gradient, theta, 0.0).theta, theta)


def test_a_flow_that_overflows_is_nan():
    actual = gradient_flow(lambda theta: -(theta**3), torch.full((1,), 1.0, dtype=torch.float64), 2.0)
    assert bool(actual.theta.isnan().all())  # 1 / sqrt(1 - 2t) diverges at t = 1/2
