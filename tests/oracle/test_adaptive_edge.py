"""The edges of adaptive steps and of noisy curvature, on quadratics; preconditioned curvature against dense matrices.

With a constant preconditioner P, Adam's step is that of a heavy ball in the coordinates P^1/2 theta. All matrices are
dense and in float64.
"""

import math

import numpy as np
import pytest
import torch
from problems import reduced_net, rng, two_layer_linear_net

from sharpest.curvature import Hessian, Preconditioned, adam_preconditioner, eigenpairs

P = 6  # parameters of the quadratics


# --- the preconditioned Hessian


@pytest.mark.parametrize("name", ["simple-cnn-same", "lstm", "text-cnn"])
def test_preconditioned_eigenpairs_are_those_of_the_dense_matrix(name: str) -> None:
    problem = reduced_net(name, 12)
    dense, p = problem.dense_hessian(), 10 ** torch.randn(len(problem.theta), generator=rng(3), dtype=torch.float64)
    s = p.rsqrt()
    exact = torch.linalg.eigvalsh(s[:, None] * dense * s)
    exact = exact[exact.abs().argsort(descending=True)[:2]].sort(descending=True).values
    pairs = eigenpairs(Preconditioned(problem.hessian(), p), 2, tolerance=1e-6)
    assert pairs.converged.all()
    np.testing.assert_allclose(pairs.eigenvalues, exact, rtol=1e-6)


def test_single_precision_keeps_four_digits() -> None:
    """With a float32 preconditioner, as in runs."""
    problem = two_layer_linear_net(20, 0)
    single = Hessian(problem.loss, problem.theta.float(), [(problem.inputs.float(), problem.targets.float())])
    p = torch.rand(15, generator=rng(1), dtype=torch.float64) + 0.01
    s = p.rsqrt()
    exact = torch.linalg.eigvalsh(s[:, None] * problem.dense_hessian() * s)[-1]
    # the eigenvalues of P^-1 H, which is not symmetric
    assert float(torch.linalg.eigvals(problem.dense_hessian() / p[:, None]).real.max()) == pytest.approx(float(exact))
    pairs = eigenpairs(Preconditioned(single, p.float()), 1, tolerance=1e-3)
    assert pairs.eigenvalues[0] == pytest.approx(float(exact), rel=1e-4)


def test_the_preconditioner_divides_adams_step() -> None:
    """torch.optim.Adam without a first moment (b1 = 0) steps by eta g / P."""
    gradients = torch.randn(5, P, generator=rng(2), dtype=torch.float64)
    theta = torch.zeros(P, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([theta], lr=0.1, betas=(0.0, 0.9), eps=1e-3)
    for gradient in gradients:
        before = theta.detach().clone()
        theta.grad = gradient.clone()
        optimizer.step()
    second = optimizer.state[theta]["exp_avg_sq"]
    p = adam_preconditioner(second, 5, beta1=0.0, beta2=0.9, epsilon=1e-3)
    torch.testing.assert_close(before - theta.detach(), 0.1 * gradients[-1] / p)
    # the bias of the first moment after few updates
    torch.testing.assert_close(adam_preconditioner(second, 5, 0.9, 0.9, 1e-3), p * (1 - 0.9**5))


# --- momentum under noisy curvature, in one dimension


def law(mean: float, deviation: float, momentum: float) -> float:
    """The largest eta at which the mean square stays bounded: 1/eta = a/(2(1+b)) + s^2/(2a(1-b))."""
    return 1 / (mean / (2 * (1 + momentum)) + deviation**2 / (2 * mean * (1 - momentum)))


def growth(lr: float, mean: float, deviation: float, momentum: float) -> float:
    """Growth of the second moments (x^2, x v, v^2) per step: spectral radius of their exact recursion (3, 3).

    The step is v' = b v - eta h x, x' = x + v'; only the mean and mean square of h enter.
    """
    drift, square, b = lr * mean, lr**2 * (mean**2 + deviation**2), momentum
    cross, velocity = np.array([-drift, b, 0]), np.array([square, -2 * b * drift, b**2])  # the moments x v' and v'^2
    recursion = np.array([np.array([1, 0, 0]) + 2 * cross + velocity, cross + velocity, velocity])
    return float(np.abs(np.linalg.eigvals(recursion)).max())


def highest_stable(grows, guess: float) -> float:
    """The learning rate at which a growth factor passes one, by bisection over a factor of two."""
    low, high = guess / 2, guess * 2
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if grows(middle) > 1 else (middle, high)
    return low


NOISE = [(0.0, 1.0), (0.9, 0.05), (0.9, 0.3), (0.9, 2.0), (0.5, 1.0), (0.5, 3.0)]


@pytest.mark.parametrize(("momentum", "relative"), NOISE)
def test_the_second_moments_of_momentum_grow_beyond_the_law(momentum: float, relative: float) -> None:
    mean, deviation = 5.0, 5.0 * relative
    expected = law(mean, deviation, momentum)
    exact = highest_stable(lambda lr: growth(lr, mean, deviation, momentum), expected)
    assert exact == pytest.approx(expected, rel=1e-6)


def test_the_law_has_both_edges_as_limits() -> None:
    """Without noise it is the edge of the heavy ball. If noise dominates, momentum acts as a step of eta / (1 - b)."""
    assert law(5.0, 0.0, 0.9) == pytest.approx(2 * 1.9 / 5)
    assert law(5.0, 500.0, 0.9) == pytest.approx(law(5.0, 500.0, 0.0) * 0.1, rel=1e-3)
