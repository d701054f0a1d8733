"""Estimates against matrices with known trace and norm, and error bars against the spread of many estimates."""

import math

import numpy as np
import pytest
import torch
from problems import Matrix, rng, softmax_regression
from torch import Tensor

from sharpest.curvature import Estimate, Hessian, eigenpairs, frobenius_norm, sampling_error, trace

pytestmark = pytest.mark.core

ESTIMATORS = {
    "trace": (trace, lambda matrix: float(matrix.trace())),
    "frobenius": (frobenius_norm, lambda matrix: float(matrix.norm())),
}


def slowly_falling(size: int = 60) -> Tensor:
    """A symmetric matrix with eigenvalues of both signs."""
    values = torch.linspace(-1, 2, size, dtype=torch.float64)
    vectors, _ = torch.linalg.qr(torch.randn(size, size, generator=rng(0), dtype=torch.float64))
    return (vectors * values) @ vectors.T


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("num_products", [10, 60])
def test_the_truth_lies_within_two_error_bars(name: str, num_products: int) -> None:
    """In 95 of 100 draws, and in at least 184 of 200 with a probability of 97 %."""
    estimator, exact = ESTIMATORS[name]
    few_large = torch.diag(torch.tensor([10.0, 9, 8, 7, 6, 5] + [0.01] * 60, dtype=torch.float64))
    for matrix in (slowly_falling(200), few_large, torch.diag(1 / torch.arange(1, 201, dtype=torch.float64))):
        estimates = [estimator(Matrix(matrix), num_products, seed) for seed in range(200)]
        deviations = np.array([(e.value - exact(matrix)) / e.error for e in estimates])
        assert np.mean(np.abs(deviations) < 2) >= 0.92
        values = [e.value for e in estimates]
        assert np.mean(values) == pytest.approx(exact(matrix), abs=5 * np.std(values) / math.sqrt(200), rel=0.01)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_enough_products_are_exact_and_four_are_the_fewest(name: str) -> None:
    """For which plain probes spread by a tenth; of four, one is for the subspace, one within it, and two are probes."""
    estimator, exact = ESTIMATORS[name]
    small, large = slowly_falling(8), slowly_falling() * 1e-3
    large[:5, :5] += 100 * torch.eye(5, dtype=torch.float64)
    for matrix, error in ((small, 1e-10), (large, 1e-4)):
        most = estimator(Matrix(matrix), 30, 0)
        assert most.value == pytest.approx(exact(matrix), rel=error)
        assert most.error <= error * exact(matrix)
    single = estimator(Matrix(small.float()), 30, 0)  # float32 matrices refuse float64 vectors
    assert single.value == pytest.approx(exact(small), rel=1e-5)
    assert estimator(Matrix(torch.zeros(9, 9)), 6, 0) == Estimate(0, 0)
    matrix = small + 10 * torch.eye(8, dtype=torch.float64)
    few = estimator(Matrix(matrix), 4, 0)
    assert few.value == pytest.approx(exact(matrix), abs=2 * few.error)
    assert 0 < few.error < 6 * exact(matrix)
    with pytest.raises(ValueError, match="num_products 3 is too few for an estimate with an error; take 4 or more"):
        estimator(Matrix(matrix), 3)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_seed_and_the_number_of_products_are_as_requested(name: str) -> None:
    """A generator is a seed that advances; by default there are 30 products."""
    estimator, operator, vectors = ESTIMATORS[name][0], Matrix(slowly_falling().float()), []

    class Counted:
        theta = operator.theta

        def product(self, vector: Tensor) -> Tensor:
            vectors.append(vector)
            return operator.product(vector)

    draws = rng(1)
    assert estimator(Counted(), 17, draws) == estimator(operator, 17, 1)
    assert len(vectors) == 17
    assert estimator(operator, 17, draws) != estimator(operator, 17, 1)
    estimator(Counted())
    assert len(vectors) == 17 + 30


def test_the_sampling_error_is_the_spread_over_samples() -> None:
    """For the trace, a mean over examples, whose spread over many samples of N is known."""

    def trace_of(hessian: Hessian) -> float:
        return float(sum(hessian.product(row)[index] for index, row in enumerate(torch.eye(12, dtype=torch.float64))))

    problems = [softmax_regression(20, seed=10 * seed) for seed in range(60)]
    theta = problems[0].theta
    hessians = [Hessian(problem.loss, theta, problem.chunks(8)) for problem in problems]
    spread = np.std([trace_of(hessian) for hessian in hessians])
    errors = np.array([sampling_error(hessian, trace_of) for hessian in hessians])
    assert math.sqrt((errors**2).mean()) == pytest.approx(spread, rel=0.2)


def test_the_sampling_error_of_a_block_by_its_name() -> None:
    """Halves keep the names of blocks."""
    net = torch.nn.Linear(2, 1)
    inputs = torch.tensor([[1.0, 0.0], [1.0, 0.0], [3.0, 0.0], [3.0, 0.0]])
    hessian = Hessian.of(net, torch.nn.functional.mse_loss, [(inputs, torch.zeros(4, 1))])
    error = sampling_error(hessian, lambda half: float(eigenpairs(half.block("weight"), k=1).eigenvalues[0]))
    assert error == pytest.approx((18 - 2) / 2, rel=1e-6)
