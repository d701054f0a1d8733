"""Small problems shared by the tests: losses whose Hessian is known in closed form or dense, in float64."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sharpest.curvature.hessian import Hessian
from sharpest.models.build import build_model
from sharpest.models.flat import FlatModel

torch.set_num_threads(1)  # small sums do not profit from more threads


@dataclass(frozen=True)
class SmallProblem:
    """A mean loss over n examples at a point of p parameters.

    Attributes:
        loss: ``loss(theta, inputs, targets)``, a mean over the examples given, in the dtype of theta.
        theta: (p,) float64.
        inputs, targets: (n, ...), (n, ...).
    """

    loss: Callable[[Tensor, Tensor, Tensor], Tensor]
    theta: Tensor
    inputs: Tensor
    targets: Tensor

    def chunks(self, size: int) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self.inputs.split(size), self.targets.split(size), strict=True))

    def hessian(self, chunk_size: int | None = None, dtype: torch.dtype = torch.float64) -> Hessian:
        """The operator under test, in one chunk by default."""
        return Hessian(self.loss, self.theta.to(dtype), self.chunks(chunk_size or len(self.targets)))

    def gradient(self, theta: Tensor) -> Tensor:
        theta = theta.detach().requires_grad_()
        return torch.autograd.grad(self.loss(theta, self.inputs, self.targets), theta)[0]

    def dense_hessian(self) -> Tensor:
        """(p, p) float64, by forward over reverse mode on all examples at once, unlike the operator."""
        return torch.func.hessian(lambda theta: self.loss(theta, self.inputs, self.targets))(self.theta)

    def vector(self, seed: int) -> Tensor:
        """(p,) float64, standard normal."""
        return torch.randn(len(self.theta), generator=rng(seed), dtype=torch.float64)


@dataclass(frozen=True)
class Matrix:
    """A symmetric matrix (p, p) as an operator."""

    matrix: Tensor

    @property
    def theta(self) -> Tensor:
        return self.matrix[0]

    def product(self, vector: Tensor) -> Tensor:
        return self.matrix @ vector


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear_regression(num_examples: int, seed: int) -> SmallProblem:
    """Half the mean squared error of X theta: the Hessian is X^T X / n everywhere."""
    inputs = torch.randn(num_examples, 6, generator=rng(seed), dtype=torch.float64)
    targets = torch.randn(num_examples, generator=rng(seed + 1), dtype=torch.float64)
    theta = torch.randn(6, generator=rng(seed + 2), dtype=torch.float64)
    return SmallProblem(lambda theta, x, y: 0.5 * (x @ theta - y).square().mean(), theta, inputs, targets)


def linear_regression_hessian(problem: SmallProblem) -> Tensor:
    """(p, p), in closed form."""
    return problem.inputs.T @ problem.inputs / len(problem.inputs)


def softmax_regression(num_examples: int, seed: int, l2: float = 0.0) -> SmallProblem:
    """Cross-entropy of a linear classifier without bias, 4 inputs and 3 classes, with l2 * sum(w^2)."""
    model = FlatModel(nn.Linear(4, 3, bias=False), l2)
    inputs = torch.randn(num_examples, 4, generator=rng(seed), dtype=torch.float64)
    targets = torch.randint(0, 3, (num_examples,), generator=rng(seed + 1))
    theta = torch.randn(12, generator=rng(seed + 2), dtype=torch.float64)
    return SmallProblem(model.loss, theta, inputs, targets)


def softmax_regression_hessian(problem: SmallProblem, l2: float = 0.0) -> Tensor:
    """(12, 12), in closed form: the mean of (diag(q) - q q^T) (x) x x^T, plus 2 l2 on the diagonal."""
    probabilities = (problem.inputs @ problem.theta.view(3, 4).T).softmax(dim=1)
    total = torch.zeros(12, 12, dtype=torch.float64)
    for x, q in zip(problem.inputs, probabilities, strict=True):
        total += torch.kron(torch.diag(q) - torch.outer(q, q), torch.outer(x, x))
    return total / len(problem.inputs) + 2 * l2 * torch.eye(12, dtype=torch.float64)


def two_layer_linear_net(num_examples: int, seed: int) -> SmallProblem:
    """Half the mean squared error of a product b A x, with A (3, 4) and b (3,): indefinite curvature, known exactly."""
    inputs = torch.randn(num_examples, 4, generator=rng(seed), dtype=torch.float64)
    targets = torch.randn(num_examples, generator=rng(seed + 1), dtype=torch.float64)
    theta = torch.randn(15, generator=rng(seed + 2), dtype=torch.float64)

    def loss(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return 0.5 * (x @ theta[:12].view(3, 4).T @ theta[12:] - y).square().mean()

    return SmallProblem(loss, theta, inputs, targets)


def two_layer_linear_net_hessian(problem: SmallProblem) -> Tensor:
    """(15, 15), in closed form: with e the residuals, S = X^T X / n and m = mean(e x),

    d2/dA dA = (b b^T) (x) S,  d2/db db = A S A^T,  d2/dA_ij db_k = b_i (A S)_kj + delta_ik m_j.
    """
    first, second = problem.theta[:12].view(3, 4), problem.theta[12:]
    moments = problem.inputs.T @ problem.inputs / len(problem.inputs)
    residuals = problem.inputs @ first.T @ second - problem.targets
    mean = residuals @ problem.inputs / len(problem.inputs)
    hessian = torch.zeros(15, 15, dtype=torch.float64)
    hessian[:12, :12] = torch.kron(torch.outer(second, second), moments)
    hessian[12:, 12:] = first @ moments @ first.T
    mixed = torch.einsum("i,kj->ijk", second, first @ moments) + torch.einsum(
        "ik,j->ijk", torch.eye(3, dtype=torch.float64), mean
    )
    hessian[:12, 12:] = mixed.reshape(12, 3)
    hessian[12:, :12] = mixed.reshape(12, 3).T
    return hessian


NUM_CLASSES = 4
NETS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "simple-cnn-valid": (
        {"kind": "simple_cnn", "width": 2, "kernel_size": 3, "padding": "valid", "hidden": 8},
        (1, 12, 12),
    ),
    "simple-cnn-same": (
        {"kind": "simple_cnn", "width": 2, "kernel_size": 3, "padding": "same", "hidden": 8},
        (1, 8, 8),
    ),
    "simple-cnn-medium": (
        {"kind": "simple_cnn", "width": 2, "kernel_size": 5, "padding": "valid", "hidden": 8},
        (1, 16, 16),
    ),
    "resnet": ({"kind": "resnet", "blocks_per_stage": 1, "widths": [2, 3, 4]}, (1, 8, 8)),
    "resnet-bn": (
        {"kind": "resnet", "blocks_per_stage": 1, "widths": [2, 3, 4], "batch_norm": True, "running_momentum": 0.3},
        (1, 8, 8),
    ),
    "vgg": (
        {"kind": "vgg", "stages": [[2], [3, 3]], "num_pools": 2, "hidden": 5, "dropout": 0.5, "batch_norm": True,
         "running_momentum": 0.3},
        (1, 8, 8),
    ),
    "lstm": ({"kind": "lstm", "width": 4, "num_layers": 2, "dropout": 0.2}, (5, NUM_CLASSES)),
    "fcn": ({"kind": "fcn", "widths": [6, 5], "activation": "tanh"}, (1, 8, 8)),
    "text-cnn": ({"kind": "text_cnn", "embedding": 3, "filters": 6, "hidden": 5, "dropout": 0.2}, (7, 9)),
}  # fmt: skip
"""The architectures, reduced: settings, and shape of an input: of an image, or time and vocabulary of words."""


def examples(name: str, count: int = 12) -> tuple[Tensor, Tensor]:
    """Random images, float64, or reviews of 4 classes, or windows of 4 words, with their targets."""
    settings, shape = NETS[name]
    classes = torch.randint(0, NUM_CLASSES, (count,), generator=rng(12))
    if len(shape) == 3:
        # float32 holds them exactly, so both precisions measure the same examples
        return torch.randn(count, *shape, generator=rng(11), dtype=torch.float64).float().double(), classes
    time, vocabulary = shape
    words = torch.randint(0, vocabulary, (count, time + 1), generator=rng(11))
    return words[:, :-1], words[:, 1:] if settings["kind"] == "lstm" else classes


def reduced_model(name: str, l2: float = 0.0, batch_size: int = 12) -> FlatModel:
    """A reduced net whose running averages, if any, are those after three training batches."""
    pytest.importorskip("pydantic")  # needed by the settings of architectures, not by the core
    settings, shape = NETS[name]
    model = FlatModel(build_model(settings, shape, NUM_CLASSES, 3, batch_size), l2)
    inputs, _ = examples(name, batch_size)
    with torch.no_grad():
        for seed in range(3):
            model.training_logits(model.initial(), model.buffers, inputs, seed)
    return model


@cache
def reduced_net(name: str, steps: int = 0, l2: float = 0.0) -> SmallProblem:
    """A reduced net in inference mode on 12 examples, at its initial weights or after SGD steps on all of them."""
    model = reduced_model(name, l2)
    problem = SmallProblem(model.loss, model.initial().double(), *examples(name))
    theta = problem.theta
    for _ in range(steps):
        theta = theta - 0.05 * problem.gradient(theta)
    # float32 holds this point exactly, so both precisions measure the same point
    return replace(problem, theta=theta.float().double())


@cache
def reduced_net_hessian(name: str, steps: int = 0) -> Tensor:
    """(p, p) float64 dense Hessian of ``reduced_net``."""
    return reduced_net(name, steps).dense_hessian()
