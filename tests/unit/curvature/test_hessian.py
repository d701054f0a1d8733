"""The operator: chunks, kept graphs, and the point at which it is taken. tests/oracle checks its numbers."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from problems import (
    NETS,
    linear_regression,
    linear_regression_hessian,
    reduced_net,
    softmax_regression,
    softmax_regression_hessian,
)
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from sharpest.curvature import Hessian, NotTwiceDifferentiableError, hessian
from sharpest.curvature.second_order import SecondOrder

pytestmark = pytest.mark.core


def test_a_hessian_needs_an_example() -> None:
    problem = softmax_regression(3, seed=0)
    with pytest.raises(ValueError, match="at least one example"):
        Hessian(problem.loss, problem.theta, [])
    with pytest.raises(ValueError, match="at least one example"):
        Hessian(problem.loss, problem.theta, [(problem.inputs[:0], problem.targets[:0])])


@pytest.mark.parametrize("name", NETS)
def test_kept_and_rebuilt_graphs_give_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = reduced_net(name)
    kept = problem.hessian(chunk_size=5)
    monkeypatch.setattr(hessian, "KEPT_BYTES_CPU", 0)
    rebuilt = problem.hessian(chunk_size=5)
    assert torch.equal(kept.gradient, rebuilt.gradient)
    for seed in range(3):
        vector = problem.vector(seed)
        assert torch.equal(kept.product(vector), rebuilt.product(vector))


@pytest.mark.parametrize(("chunks_that_fit", "built_per_product"), [(0, 6), (2.5, 4), (7, 0)])
def test_as_many_graphs_are_kept_as_fit(
    chunks_that_fit: float, built_per_product: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = reduced_net("simple-cnn-same")
    built = 0

    def loss(theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        nonlocal built
        built += 1
        return problem.loss(theta, inputs, targets)

    size, theta = hessian.GraphSize(), problem.theta.clone().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(size.add, lambda tensor: tensor), SecondOrder():
        torch.autograd.grad(problem.loss(theta, *problem.chunks(2)[0]), theta, create_graph=True)
    monkeypatch.setattr(hessian, "KEPT_BYTES_CPU", int(chunks_that_fit * size.bytes))
    operator = Hessian(loss, problem.theta, problem.chunks(2))
    built = 0
    for seed in range(3):
        operator.product(problem.vector(seed))
    assert built == 3 * built_per_product


@pytest.mark.parametrize("part", [slice(3, 7), slice(None, 4), slice(-3, None), slice(2, 100), slice(None)])
def test_a_block_equals_its_slice(part: slice) -> None:
    problem = softmax_regression(4, seed=0)
    dense = softmax_regression_hessian(problem)[part, part]
    vector = problem.vector(1)[part]
    torch.testing.assert_close(problem.hessian(3).block(part).product(vector), dense @ vector)
    message = f"{slice(3, 3)} of 12 parameters is not a block; take at least one, without gaps"
    with pytest.raises(ValueError, match=re.escape(message)):
        problem.hessian().block(slice(3, 3))
    with pytest.raises(ValueError, match="is not a block"):
        problem.hessian().block(slice(0, 4, 2))


def test_a_block_by_name() -> None:
    problem = softmax_regression(4, seed=0)
    parts = {"first": slice(0, 5), "second": slice(5, 12)}
    named = Hessian(problem.loss, problem.theta, problem.chunks(3), parts)
    vector = problem.vector(1)[5:]
    assert torch.equal(named.block("second").product(vector), problem.hessian(3).block(slice(5, 12)).product(vector))
    assert named.parts == parts
    assert named.halves()[0].parts == parts
    with pytest.raises(ValueError, match="pattern 'third' fits no parameter; there are, for instance, first, second"):
        named.block("third")
    with pytest.raises(ValueError, match="first is not among the parameters; they have no names; take a slice"):
        problem.hessian().block("first")


def test_scipy_may_hand_over_any_array() -> None:
    """Columns, reversed views, integers, and several vectors at once."""
    problem = softmax_regression(4, seed=0)
    operator, dense = problem.hessian(3).as_scipy(), softmax_regression_hessian(problem).numpy()
    numbers = np.arange(12)
    for vector in (numbers, numbers[:, None], numbers[::-1], numbers[::-1].astype(np.float32)):
        np.testing.assert_allclose(operator @ vector, dense @ vector, rtol=1e-10)
        np.testing.assert_allclose(operator.T @ vector, dense @ vector, rtol=1e-10)
    np.testing.assert_allclose(operator @ np.eye(12), dense, rtol=1e-10, atol=1e-14)
    first, _ = operator @ numbers, operator @ np.zeros(12)
    np.testing.assert_allclose(first, dense @ numbers, rtol=1e-10)  # each product has its own memory


def test_scipy_has_no_half_precision() -> None:
    problem = linear_regression(4, seed=0)

    def loss(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return 0.5 * (x.to(theta) @ theta - y.to(theta)).square().mean()

    operator = Hessian(loss, problem.theta.bfloat16(), problem.chunks(4)).as_scipy()
    assert operator.dtype == np.float32
    expected = linear_regression_hessian(problem).numpy() @ np.ones(6)
    np.testing.assert_allclose(operator @ np.ones(6, np.float32), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("num_examples", [12, 11])
def test_halves_are_disjoint_and_equal(num_examples: int) -> None:
    problem = softmax_regression(num_examples, seed=0)
    vector, half = problem.vector(1), num_examples // 2
    for part, start in zip(problem.hessian(chunk_size=4).halves(), (0, half), strict=True):
        inputs, targets = (values[start : start + half] for values in (problem.inputs, problem.targets))
        expected = softmax_regression_hessian(replace(problem, inputs=inputs, targets=targets)) @ vector
        torch.testing.assert_close(part.product(vector), expected)
    with pytest.raises(ValueError, match="one example cannot be halved"):
        softmax_regression(1, seed=0).hessian().halves()


def test_parameters_that_the_loss_does_not_read_have_no_curvature() -> None:
    problem = linear_regression(4, seed=0)
    operator = Hessian(lambda theta, x, y: theta[0] ** 4, problem.theta, problem.chunks(4))
    product = operator.product(torch.ones(6, dtype=torch.float64))
    assert product.tolist() == pytest.approx([12 * float(problem.theta[0]) ** 2, 0, 0, 0, 0, 0])


def test_a_loss_without_theta_is_refused() -> None:
    problem = softmax_regression(4, seed=0)
    with pytest.raises(ValueError, match="does not depend on theta"):
        Hessian(lambda theta, x, y: problem.loss(theta.detach(), x, y), problem.theta, problem.chunks(4))


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> Tensor:
        return 3 * ctx.saved_tensors[0] ** 2 * outer


def _labelling(theta: Tensor) -> Tensor:
    scores = theta.view(3, 1, 2).log_softmax(dim=-1)
    return functional.ctc_loss(scores, torch.tensor([[1]]), torch.tensor([3]), torch.tensor([1]))


def _bag(theta: Tensor) -> Tensor:
    return functional.embedding_bag(torch.tensor([[0, 1]]), theta.view(2, 3), mode="max").square().sum()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda theta: _Once.apply(theta).sum() * theta.sum(), "operations has only a first derivative; replace it"),
        (_labelling, "operations has only a first derivative; replace it"),
        (_bag, r"('_embedding_bag_backward' is not implemented.\)|only a first derivative); replace"),  # newer; older
    ],
    ids=["once", "unknown to torch", "refused by torch"],
)  # fmt: skip
def test_a_loss_without_a_second_derivative_is_refused(loss: Callable[[Tensor], Tensor], message: str) -> None:
    problem = linear_regression(4, seed=0)
    with pytest.raises(NotTwiceDifferentiableError, match=f"not twice differentiable.*{message}"):
        Hessian(lambda theta, x, y: loss(theta), problem.theta, problem.chunks(4)).product(problem.vector(0))


@pytest.mark.slow
def test_memory_does_not_grow_with_examples_or_products() -> None:
    """Counted by the allocator of a separate process, in units of the memory of one chunk of 64 examples."""
    script = """
import resource, sys, torch
from problems import NETS, rng
from sharpest.curvature import hessian
from sharpest.models.build import build_model
from sharpest.models.flat import FlatModel
hessian.KEPT_BYTES_CPU = 0
model = FlatModel(build_model(NETS["simple-cnn-same"][0], (1, 8, 8), 4, 3, 64))
count, products = int(sys.argv[1]), int(sys.argv[2])
images = torch.randn(64, 1, 8, 8).expand(count // 64, 64, 1, 8, 8)
operator = hessian.Hessian(model.loss, model.initial(), [(x, torch.zeros(64, dtype=torch.long)) for x in images])
vector = torch.randn(model.num_parameters)
operator.product(vector)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(products):
    operator.product(vector)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""

    def peak(count: int, products: int) -> list[int]:
        run = subprocess.run(
            [sys.executable, "-c", script, str(count), str(products)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return [int(number) for number in run.stdout.split()]

    few, _ = peak(64, 1)
    many, _ = peak(64 * 20, 1)
    assert many <= 1.02 * few
    assert peak(64, 1_000)[1] <= 2_000  # kB


@pytest.mark.parametrize("chunk_size", [4, 2])
def test_the_point_is_that_of_the_construction(chunk_size: int) -> None:
    """Training continues in place; the operator must neither follow it nor mix two points."""
    problem = softmax_regression(4, seed=0)
    theta = problem.theta.clone()
    operator = Hessian(problem.loss, theta, problem.chunks(chunk_size))
    theta.mul_(2.0)
    torch.testing.assert_close(operator.product(problem.vector(1)), problem.hessian().product(problem.vector(1)))
    moved = Hessian(problem.loss, theta, problem.chunks(chunk_size)).product(problem.vector(1))
    assert not torch.allclose(moved, problem.hessian().product(problem.vector(1)), rtol=1e-3)


@pytest.mark.parametrize("chunk_size", [4, 3])
def test_a_loss_linear_in_theta_has_no_curvature(chunk_size: int) -> None:
    problem = linear_regression(4, seed=0)
    operator = Hessian(lambda theta, x, y: (x @ theta - y).mean(), problem.theta, problem.chunks(chunk_size))
    assert not operator.product(problem.vector(1)).any()
