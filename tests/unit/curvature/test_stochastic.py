"""Estimates against matrices whose trace and norm are known, error bars against the spread of many estimates."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from problems import reduced_net, reduced_net_hessian, rng, softmax_regression
from torch import Tensor

from sharpest.curvature.hessian import Hessian
from sharpest.curvature.stochastic import Estimate, Product, frobenius_norm, sampling_error, trace

Estimator = Callable[[Product, Tensor, int, torch.Generator], Estimate]
ESTIMATORS = {
    "trace": (trace, lambda matrix: float(matrix.trace())),
    "frobenius": (frobenius_norm, lambda matrix: float(matrix.norm())),
}


def slowly_falling(size: int = 60) -> Tensor:
    """A symmetric matrix with eigenvalues of both signs."""
    values = torch.linspace(-1, 2, size, dtype=torch.float64)
    vectors, _ = torch.linalg.qr(torch.randn(size, size, generator=rng(0), dtype=torch.float64))
    return (vectors * values) @ vectors.T


def estimate(estimator: Estimator, matrix: Tensor, num_products: int, seed: int = 0) -> Estimate:
    return estimator(lambda vector: matrix @ vector, matrix[0], num_products, rng(seed))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_truth_lies_within_the_error_bars(name: str) -> None:
    """As often as for a normal distribution: 68 % within one error, 95 % within two."""
    estimator, exact = ESTIMATORS[name]
    matrix = slowly_falling()
    estimates = [estimate(estimator, matrix, 45, seed) for seed in range(400)]
    deviations = np.array([(e.value - exact(matrix)) / e.error for e in estimates])
    assert 0.62 < np.mean(np.abs(deviations) < 1) < 0.75
    assert 0.90 < np.mean(np.abs(deviations) < 2) < 0.98
    mean = np.mean([e.value for e in estimates])
    assert mean == pytest.approx(exact(matrix), abs=4 * np.std([e.value for e in estimates]) / math.sqrt(400))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_enough_products_are_exact(name: str) -> None:
    estimator, exact = ESTIMATORS[name]
    matrix = slowly_falling(8)
    found = estimate(estimator, matrix, 30)
    assert found.value == pytest.approx(exact(matrix), rel=1e-10)
    assert found.error <= 1e-10 * exact(matrix)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_few_large_eigenvalues_are_taken_exactly(name: str) -> None:
    """What plain probes spread by a tenth."""
    estimator, exact = ESTIMATORS[name]
    matrix = slowly_falling() * 1e-3
    matrix[:5, :5] += 100 * torch.eye(5, dtype=torch.float64)
    found = estimate(estimator, matrix, 30)
    assert found.value == pytest.approx(exact(matrix), rel=1e-4)
    assert found.error <= 1e-4 * exact(matrix)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_net(name: str) -> None:
    estimator, exact = ESTIMATORS[name]
    problem = reduced_net("simple-cnn-same")
    found = estimator(problem.hessian(chunk_size=5).product, problem.theta, 60, rng(0))
    assert found.value == pytest.approx(exact(reduced_net_hessian("simple-cnn-same")), abs=3 * found.error)
    assert found.error < 0.1 * found.value


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_products_are_those_asked_for(name: str) -> None:
    matrix, seen = slowly_falling(), []
    ESTIMATORS[name][0](lambda vector: seen.append(vector) or matrix @ vector, matrix[0], 17, rng(0))
    assert len(seen) == 17


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_seed_decides(name: str) -> None:
    estimator, _ = ESTIMATORS[name]
    matrix = slowly_falling().float()
    assert estimate(estimator, matrix, 12, seed=1) == estimate(estimator, matrix, 12, seed=1)
    assert estimate(estimator, matrix, 12, seed=1) != estimate(estimator, matrix, 12, seed=2)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_nothing_is_known_exactly(name: str) -> None:
    assert estimate(ESTIMATORS[name][0], torch.zeros(9, 9), 6) == Estimate(0, 0)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_too_few_products_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="num_products 3 is too few for an estimate with an error; take 4 or more"):
        estimate(ESTIMATORS[name][0], slowly_falling(), 3)


def test_the_sampling_error_is_the_spread_over_samples() -> None:
    """Of the trace, which is a mean over examples: over many samples of N its spread is known."""

    def trace_of(hessian: Hessian) -> float:
        return float(sum(hessian.product(row)[index] for index, row in enumerate(torch.eye(12, dtype=torch.float64))))

    problems = [softmax_regression(20, seed=10 * seed) for seed in range(200)]
    theta = problems[0].theta
    hessians = [Hessian(problem.loss, theta, problem.chunks(8)) for problem in problems]
    spread = np.std([trace_of(hessian) for hessian in hessians])
    errors = np.array([sampling_error(hessian, trace_of) for hessian in hessians])
    assert math.sqrt((errors**2).mean()) == pytest.approx(spread, rel=0.15)
