"""Estimates against matrices with known trace and norm, and error bars against the spread of many estimates."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from problems import Matrix, reduced_net, reduced_net_hessian, rng, softmax_regression
from torch import Tensor

from sharpest.curvature import Estimate, Hessian, Operator, eigenpairs, frobenius_norm, sampling_error, trace

pytestmark = pytest.mark.core

Estimator = Callable[[Operator, int, int | torch.Generator], Estimate]
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
    return estimator(Matrix(matrix), num_products, seed)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("num_products", [10, 30, 60])
def test_the_truth_lies_within_two_error_bars(name: str, num_products: int) -> None:
    """In 95 of 100 draws, and in at least 184 of 200 with a probability of 97 %."""
    estimator, exact = ESTIMATORS[name]
    few_large = torch.diag(torch.tensor([10.0, 9, 8, 7, 6, 5] + [0.01] * 60, dtype=torch.float64))
    for matrix in (slowly_falling(200), few_large, torch.diag(1 / torch.arange(1, 201, dtype=torch.float64))):
        estimates = [estimate(estimator, matrix, num_products, seed) for seed in range(200)]
        deviations = np.array([(e.value - exact(matrix)) / e.error for e in estimates])
        assert np.mean(np.abs(deviations) < 2) >= 0.92
        values = [e.value for e in estimates]
        assert np.mean(values) == pytest.approx(exact(matrix), abs=5 * np.std(values) / math.sqrt(200), rel=0.01)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_enough_products_are_exact(name: str) -> None:
    estimator, exact = ESTIMATORS[name]
    matrix = slowly_falling(8)
    complete = estimate(estimator, matrix, 30)
    assert complete.value == pytest.approx(exact(matrix), rel=1e-10)
    assert complete.error <= 1e-10 * exact(matrix)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_few_large_eigenvalues_are_taken_exactly(name: str) -> None:
    """For which plain probes spread by a tenth."""
    estimator, exact = ESTIMATORS[name]
    matrix = slowly_falling() * 1e-3
    matrix[:5, :5] += 100 * torch.eye(5, dtype=torch.float64)
    sketched = estimate(estimator, matrix, 30)
    assert sketched.value == pytest.approx(exact(matrix), rel=1e-4)
    assert sketched.error <= 1e-4 * exact(matrix)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_net(name: str) -> None:
    estimator, exact = ESTIMATORS[name]
    problem = reduced_net("simple-cnn-same")
    probed = estimator(problem.hessian(chunk_size=5), 60, 0)
    assert probed.value == pytest.approx(exact(reduced_net_hessian("simple-cnn-same")), abs=3 * probed.error)
    assert probed.error < 0.15 * probed.value


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_number_of_products_is_as_requested(name: str) -> None:
    operator, vectors = Matrix(slowly_falling()), []

    class Counted:
        theta = operator.theta

        def product(self, vector: Tensor) -> Tensor:
            vectors.append(vector)
            return operator.product(vector)

    ESTIMATORS[name][0](Counted(), 17, 0)
    assert len(vectors) == 17
    vectors.clear()
    ESTIMATORS[name][0](Counted())
    assert len(vectors) == 30


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_seed_decides(name: str) -> None:
    estimator, _ = ESTIMATORS[name]
    matrix = slowly_falling().float()
    assert estimate(estimator, matrix, 12, seed=1) == estimate(estimator, matrix, 12, seed=1)
    assert estimate(estimator, matrix, 12, seed=1) != estimate(estimator, matrix, 12, seed=2)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_generator_is_a_seed_that_advances(name: str) -> None:
    estimator, _ = ESTIMATORS[name]
    operator, draws = Matrix(slowly_falling().float()), rng(1)
    assert estimator(operator, 12, draws) == estimator(operator, 12, 1)
    assert estimator(operator, 12, draws) != estimator(operator, 12, 1)


def test_probes_follow_the_operator_in_dtype() -> None:
    """Float32 matrices refuse float64 vectors."""
    for dtype in (torch.float32, torch.float64):
        assert trace(Matrix(slowly_falling().to(dtype)), 180).value == pytest.approx(30, abs=1e-4)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_zero_operator_has_zero_error(name: str) -> None:
    assert estimate(ESTIMATORS[name][0], torch.zeros(9, 9), 6) == Estimate(0, 0)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_four_products_are_enough(name: str) -> None:
    """One for the subspace, one within it, and two probes; the error is then large."""
    estimator, exact = ESTIMATORS[name]
    matrix = slowly_falling(8) + 10 * torch.eye(8, dtype=torch.float64)
    few = estimate(estimator, matrix, 4)
    assert few.value == pytest.approx(exact(matrix), abs=2 * few.error)
    assert 0 < few.error < 6 * exact(matrix)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_too_few_products_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="num_products 3 is too few for an estimate with an error; take 4 or more"):
        estimate(ESTIMATORS[name][0], slowly_falling(), 3)


def test_the_sampling_error_is_the_spread_over_samples() -> None:
    """For the trace, a mean over examples, whose spread over many samples of N is known."""

    def trace_of(hessian: Hessian) -> float:
        return float(sum(hessian.product(row)[index] for index, row in enumerate(torch.eye(12, dtype=torch.float64))))

    problems = [softmax_regression(20, seed=10 * seed) for seed in range(200)]
    theta = problems[0].theta
    hessians = [Hessian(problem.loss, theta, problem.chunks(8)) for problem in problems]
    spread = np.std([trace_of(hessian) for hessian in hessians])
    errors = np.array([sampling_error(hessian, trace_of) for hessian in hessians])
    assert math.sqrt((errors**2).mean()) == pytest.approx(spread, rel=0.15)


def test_the_sampling_error_of_a_block_by_its_name() -> None:
    """Halves keep the names of blocks."""
    net = torch.nn.Linear(2, 1)
    inputs = torch.tensor([[1.0, 0.0], [1.0, 0.0], [3.0, 0.0], [3.0, 0.0]])
    hessian = Hessian.of(net, torch.nn.functional.mse_loss, [(inputs, torch.zeros(4, 1))])
    error = sampling_error(hessian, lambda half: float(eigenpairs(half.block("weight"), k=1).eigenvalues[0]))
    assert error == pytest.approx((18 - 2) / 2, rel=1e-6)
