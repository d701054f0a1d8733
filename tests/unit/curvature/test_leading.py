"""The solver with defaults: its start vector, and inputs that it refuses."""

import dataclasses

import numpy as np
import pytest
import torch
from problems import Matrix, reduced_net, rng
from torch import Tensor

from sharpest.curvature import Eigenpairs, Hessian, eigenpairs, lanczos
from sharpest.curvature.sizes import basis_size

pytestmark = pytest.mark.core


@pytest.fixture
def operator() -> Hessian:
    return reduced_net("simple-cnn-same").hessian(5, torch.float32)


def equal(first: Eigenpairs, second: Eigenpairs) -> bool:
    """Equal in all bits except the time."""
    fields = [field.name for field in dataclasses.fields(Eigenpairs) if field.name != "seconds"]
    pairs = [[np.asarray(getattr(pairs, name)) for name in fields] for pairs in (first, second)]
    return all(np.array_equal(left, right) for left, right in zip(*pairs, strict=True))


def test_five_pairs_to_a_thousandth_by_default(operator: Hessian) -> None:
    pairs = eigenpairs(operator)
    assert pairs.eigenvectors.shape == (5, len(operator.theta))
    assert pairs.converged.all()
    assert pairs.residuals.max() <= 1e-3
    assert pairs.residuals.max() > 1e-6  # no more than requested


def test_the_seed_decides(operator: Hessian) -> None:
    assert equal(eigenpairs(operator), eigenpairs(operator, seed=0))
    assert not equal(eigenpairs(operator), eigenpairs(operator, seed=1))


def test_a_generator_is_a_seed_that_advances(operator: Hessian) -> None:
    draws = rng(3)
    assert equal(eigenpairs(operator, seed=draws), eigenpairs(operator, seed=3))
    assert not equal(eigenpairs(operator, seed=draws), eigenpairs(operator, seed=3))


@pytest.mark.parametrize("k", [0, 7])
def test_a_count_outside_the_parameters_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"k {k} must lie within 1..6, the number of parameters"):
        eigenpairs(Matrix(torch.eye(6)), k=k)


def first_vector(operator: Hessian, **options: object) -> Tensor:
    """The vector of the first product."""

    class Watched:
        theta, gradient = operator.theta, operator.gradient

        def product(self, vector: Tensor) -> Tensor:
            vectors.append(vector.clone())
            return operator.product(vector)

    vectors: list[Tensor] = []
    eigenpairs(Watched(), **options)
    return vectors[0]


def test_the_start_uses_the_gradient(operator: Hessian) -> None:
    start = first_vector(operator)
    assert float(start @ operator.gradient / operator.gradient.norm()) > 0.9


def test_the_start_also_uses_known_vectors(operator: Hessian) -> None:
    """As pairs or as a vector, in any precision."""
    warm = eigenpairs(operator, seed=5)
    total = warm.eigenvectors.sum(dim=0)
    start = first_vector(operator, warm=warm)
    assert torch.equal(start, first_vector(operator, warm=total))
    assert torch.equal(start, first_vector(operator, warm=total.double()))
    assert start.dtype == torch.float32
    known, gradient = (vector / vector.norm() for vector in (total, operator.gradient))
    assert abs(float(known @ gradient)) < 0.6
    assert min(float(start @ known), float(start @ gradient)) > 0.7


def test_a_warm_start_saves_products() -> None:
    matrix = torch.diag(torch.tensor([50.0, -40, 30, 20, *torch.linspace(-1, 1, 300)]))
    cold = eigenpairs(Matrix(matrix), k=4)
    assert eigenpairs(Matrix(matrix), k=4, seed=1, warm=cold).num_products < cold.num_products


@pytest.mark.parametrize("shape", [(5,), (2, 6)])
def test_a_warm_start_of_another_net_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"warm has shape \(.*\), but the Hessian has 6 parameters"):
        eigenpairs(Matrix(torch.eye(6)), k=1, warm=torch.ones(shape))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_operator_needs_no_gradient(dtype: torch.dtype) -> None:
    matrix = torch.diag(torch.tensor([3.0, -2.0, 1.0], dtype=dtype))
    pairs = eigenpairs(Matrix(matrix), k=2)
    np.testing.assert_allclose(pairs.eigenvalues, [3, -2], rtol=1e-5)
    assert pairs.eigenvectors.dtype == dtype


@pytest.mark.parametrize("k", [1, 10, 11, 40])
def test_products_are_limited_by_default(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []
    real = lanczos.largest_eigenpairs
    monkeypatch.setattr(lanczos, "largest_eigenpairs", lambda *given: limits.append(given[4]) or real(*given))
    eigenpairs(Matrix(torch.diag(torch.arange(60.0))), k=k)
    eigenpairs(Matrix(torch.diag(torch.arange(60.0))), k=k, max_products=50)
    assert limits == [max(640, 60 * k), 50]
    assert basis_size(k) == max(32, 3 * k)


def test_a_loss_that_is_not_finite_gives_nan() -> None:
    def loss(theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        return theta.sqrt().sum()

    operator = Hessian(loss, torch.tensor([-1.0, 1.0, 2.0]), [(torch.ones(3), torch.ones(3))])
    pairs = eigenpairs(operator, k=2)
    assert np.isnan(pairs.eigenvalues).all()
    assert not pairs.converged.any()
