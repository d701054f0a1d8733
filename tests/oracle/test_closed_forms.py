"""The operator against Hessians in closed form, and the Newton equality of App. E."""

import numpy as np
import pytest
import torch
from problems import (
    SmallProblem,
    linear_regression,
    linear_regression_hessian,
    rng,
    softmax_regression,
    softmax_regression_hessian,
    two_layer_linear_net,
    two_layer_linear_net_hessian,
)

from sharpest.curvature.lanczos import largest_eigenpairs
from sharpest.trajectory.steps import nudge, sgd_change

pytestmark = pytest.mark.core

CASES = {
    "linear regression": (linear_regression(7, 0), linear_regression_hessian(linear_regression(7, 0))),
    "softmax regression": (softmax_regression(7, 0), softmax_regression_hessian(softmax_regression(7, 0))),
    "softmax regression with L2": (
        softmax_regression(7, 0, l2=0.3),
        softmax_regression_hessian(softmax_regression(7, 0, l2=0.3), l2=0.3),
    ),
    "two-layer linear net": (two_layer_linear_net(7, 0), two_layer_linear_net_hessian(two_layer_linear_net(7, 0))),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[SmallProblem, torch.Tensor]:
    return CASES[request.param]


@pytest.mark.parametrize("chunk_size", [7, 3, 1])
def test_products(case: tuple[SmallProblem, torch.Tensor], chunk_size: int) -> None:
    problem, hessian = case
    operator = problem.hessian(chunk_size)
    columns = torch.stack([operator.product(unit) for unit in torch.eye(len(problem.theta), dtype=torch.float64)])
    torch.testing.assert_close(columns, hessian, rtol=1e-11, atol=1e-13)


def test_the_dense_hessian_of_the_tests(case: tuple[SmallProblem, torch.Tensor]) -> None:
    """The reference for the nets is itself checked here."""
    problem, hessian = case
    torch.testing.assert_close(problem.dense_hessian(), hessian, rtol=1e-11, atol=1e-13)


def test_eigenpairs(case: tuple[SmallProblem, torch.Tensor]) -> None:
    problem, hessian = case
    pairs = largest_eigenpairs(problem.hessian(3).product, problem.vector(1), 5, 1e-9, 100, rng(2))
    values = np.linalg.eigvalsh(hessian.numpy())
    expected = np.sort(values[np.argsort(-np.abs(values))[:5]])[::-1]
    np.testing.assert_allclose(pairs.eigenvalues, expected, rtol=0, atol=1e-10 * np.abs(values).max())


def test_the_two_layer_net_has_curvature_of_both_signs() -> None:
    """In the convex problems, a lost sign would not show."""
    values = np.linalg.eigvalsh(CASES["two-layer linear net"][1].numpy())
    assert values[0] < -0.1
    assert values[-1] > 0.1


def test_equal_classes_repeat_the_curvature_of_the_inputs() -> None:
    """At zero weights the Hessian is (I/3 - 11^T/9) (x) S: each eigenvalue of S / 3 twice, and four zeros."""
    problem = softmax_regression(9, 0)
    flat = SmallProblem(problem.loss, torch.zeros(12, dtype=torch.float64), problem.inputs, problem.targets)
    pairs = largest_eigenpairs(flat.hessian().product, flat.vector(1), 12, 1e-9, 100, rng(2))
    inputs = np.linalg.eigvalsh((problem.inputs.T @ problem.inputs / 9).numpy())[::-1]
    np.testing.assert_allclose(pairs.eigenvalues, [*np.repeat(inputs / 3, 2), 0, 0, 0, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("lr", [1.0, 0.1])
def test_nudged_sgd_is_newton_on_the_example_of_appendix_e(lr: float) -> None:
    """H = diag(100 five times, 1 twice): gamma 0.01 along the top five is the inverse of H (inventory 5.7)."""
    curvature = torch.tensor([100.0] * 5 + [1.0] * 2, dtype=torch.float64)
    theta = torch.randn(7, generator=rng(0), dtype=torch.float64)
    problem = SmallProblem(
        lambda theta, x, y: 0.5 * (curvature * theta.square()).sum(), theta, torch.zeros(1), torch.zeros(1)
    )
    start = torch.randn(7, generator=rng(1), dtype=torch.float64)
    directions = largest_eigenpairs(problem.hessian().product, start, 5, 1e-9, 7, rng(2)).eigenvectors

    gradient = problem.gradient(theta)
    step = nudge(sgd_change(gradient, None, lr, momentum=0.0), directions, gamma=0.01)
    newton = -lr * torch.linalg.solve(torch.diag(curvature), gradient)

    torch.testing.assert_close(step, newton, rtol=1e-11, atol=1e-13)
