"""The operator: chunks, kept graph, and what it is taken at. Its numbers are proved under tests/oracle."""

import pytest
import torch
from problems import linear_regression, reduced_net, softmax_regression

from sharpest.curvature.hessian import Hessian


def test_a_hessian_needs_an_example() -> None:
    problem = softmax_regression(3, seed=0)
    with pytest.raises(ValueError, match="at least one example"):
        Hessian(problem.loss, problem.theta, [])
    with pytest.raises(ValueError, match="at least one example"):
        Hessian(problem.loss, problem.theta, [(problem.inputs[:0], problem.targets[:0])])


def test_a_short_last_chunk_weighs_by_its_examples() -> None:
    problem = softmax_regression(3, seed=0)
    vector = problem.vector(1)
    torch.testing.assert_close(
        problem.hessian(chunk_size=2).product(vector), problem.hessian().product(vector), rtol=1e-12, atol=1e-14
    )


def test_the_penalty_does_not_depend_on_chunks() -> None:
    problem = softmax_regression(5, seed=0, l2=0.7)
    vector = problem.vector(1)
    torch.testing.assert_close(
        problem.hessian(chunk_size=2).product(vector), problem.hessian().product(vector), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("name", ["simple-cnn-valid", "resnet"])
def test_a_kept_graph_gives_the_numbers_of_a_new_one(name: str) -> None:
    problem = reduced_net(name)
    kept = problem.hessian()
    # the empty second chunk weighs nothing and makes the operator build its graph anew
    rebuilt = Hessian(lambda theta, x, y: problem.loss(theta, x, y) if len(y) else 0 * theta.sum(), problem.theta,
                      [*problem.chunks(len(problem.targets)), (problem.inputs[:0], problem.targets[:0])])  # fmt: skip
    for seed in range(3):
        vector = problem.vector(seed)
        assert torch.equal(kept.product(vector), rebuilt.product(vector))


@pytest.mark.parametrize("chunk_size", [4, 2])
def test_the_point_is_that_of_the_construction(chunk_size: int) -> None:
    """Training goes on in place; the operator must neither follow it nor mix two points."""
    problem = softmax_regression(4, seed=0)
    theta = problem.theta.clone()
    hessian = Hessian(problem.loss, theta, problem.chunks(chunk_size))
    theta.mul_(2.0)
    torch.testing.assert_close(hessian.product(problem.vector(1)), problem.hessian().product(problem.vector(1)))
    moved = Hessian(problem.loss, theta, problem.chunks(chunk_size)).product(problem.vector(1))
    assert not torch.allclose(moved, problem.hessian().product(problem.vector(1)), rtol=1e-3)


@pytest.mark.parametrize("chunk_size", [4, 3])
def test_a_loss_linear_in_theta_has_no_curvature(chunk_size: int) -> None:
    problem = linear_regression(4, seed=0)
    hessian = Hessian(lambda theta, x, y: (x @ theta - y).mean(), problem.theta, problem.chunks(chunk_size))
    assert not hessian.product(problem.vector(1)).any()


def test_parameters_that_the_loss_does_not_read_have_no_curvature() -> None:
    problem = linear_regression(4, seed=0)
    hessian = Hessian(lambda theta, x, y: theta[0] ** 4, problem.theta, problem.chunks(4))
    product = hessian.product(torch.ones(6, dtype=torch.float64))
    assert not product[1:].any()
    assert float(product[0]) == pytest.approx(12 * float(problem.theta[0]) ** 2)


def test_theta_and_vectors_carry_no_graph_away() -> None:
    problem = softmax_regression(4, seed=0)
    product = problem.hessian().product(problem.vector(1))
    assert not product.requires_grad
    assert not problem.theta.requires_grad


def test_float32_stays_float32() -> None:
    problem = reduced_net("resnet")
    vector = problem.vector(1)
    single = problem.hessian(5, dtype=torch.float32).product(vector.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), problem.hessian(5).product(vector), rtol=0, atol=1e-5)
