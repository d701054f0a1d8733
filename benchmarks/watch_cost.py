"""Cost of one value of lambda_max in watch: Hessian-vector products, and gradients of the probe, per kind of net.

``python benchmarks/watch_cost.py`` prints the table of docs/watch.md. A monitor measures nine times while a net trains;
all solves but the first start from the eigenvectors before. The last column compares the products of these solves with
those of a cold start at the same points. The time of a value includes the solver's own work.
"""

import argparse
import inspect
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import SGD, Adam, Optimizer

import sharpest
from sharpest.curvature import Hessian, eigenpairs

Batch = tuple[Tensor, Tensor]
EVERY, STEPS = 50, 400
CONTEXT, WIDTH = 64, 128


def perceptron(width: int, depth: int, size: int = 64) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs in (size, *[width] * (depth - 1)):
        layers += [nn.Linear(inputs, width), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def convolutions() -> nn.Module:
    layers = [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(512, 10))


class Transformer(nn.Module):
    """Predicts the next character."""

    def __init__(self) -> None:
        super().__init__()
        self.characters, self.places = nn.Embedding(128, WIDTH), nn.Parameter(0.02 * torch.randn(CONTEXT, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 128)

    def forward(self, text: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(CONTEXT)
        return self.head(self.layers(self.characters(text) + self.places, mask, is_causal=True)).transpose(1, 2)


def digits(count: int) -> Batch:
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images[:count] / 16).float().view(-1, 1, 8, 8), torch.tensor(labels[:count])


def noise(count: int) -> Batch:
    return torch.randn(count, 784), torch.randint(10, (count,))


def text(count: int) -> Batch:
    """The source code of a module of Python."""
    codes = torch.tensor(list(inspect.getsource(argparse).encode("ascii", "replace")))
    rows = codes[: count * (CONTEXT + 1)].view(count, -1)
    return rows[:, :-1], rows[:, 1:]


def loss(model: nn.Module, batch: Batch) -> Tensor:
    return functional.cross_entropy(model(batch[0]), batch[1])


def seconds_of_gradient(net: nn.Module, batch: Batch) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        torch.autograd.grad(loss(net, batch), list(net.parameters()))
        times.append(time.perf_counter() - began)
    return median(times)


def sgd(parameters: Any) -> Optimizer:
    return SGD(parameters, lr=0.1, momentum=0.9)


def row(name: str, make: Callable[[], nn.Module], batch: Batch, optimizing: Callable[[Any], Optimizer]) -> str:
    """A row of the table: name, parameters, products of a value, gradients of a product and of a value."""
    torch.manual_seed(0)
    net = make()
    optimizer = optimizing(net.parameters())
    gradients, cold = [], []

    def compare(*_: object) -> None:
        """Time gradients right after a measurement, and repeat its solve from a cold start."""
        gradients.append(seconds_of_gradient(net, batch))
        with sdpa_kernel(SDPBackend.MATH):  # as in watch: the fused kernel has no second derivative
            hessian = Hessian.of(net, functional.cross_entropy, [batch])
            cold.append(eigenpairs(hessian, 1, which="largest").num_products)

    monitor = sharpest.watch(net, loss, [batch], optimizer, every=EVERY, log=compare)
    for _ in range(STEPS):
        rows = torch.randint(len(batch[0]), (32,))
        optimizer.zero_grad()
        loss(net, (batch[0][rows], batch[1][rows])).backward()
        optimizer.step()
        monitor.step()
    products = monitor.values["lambda_max_products"]
    cost = monitor.values["lambda_max_seconds"] / gradients
    count = sum(value.numel() for value in net.parameters())
    cells = [f"{low:.{digits}f} to {high:.{digits}f}" for low, high, digits in (
        (products.min(), products.max(), 0),
        ((cost / products).min(), (cost / products).max(), 1),
        (cost.min(), cost.max(), 0),
    )]  # fmt: skip
    return f"| {name} | {count:,} | {' | '.join(cells)} | {products[1:].sum() / sum(cold[1:]):.2f} |"


def main() -> None:
    torch.set_num_threads(1)
    print("| net | parameters | products of a value | gradients of a product | gradients of a value | warm / cold |")
    print("|---|---|---|---|---|---|")
    print(row("small MLP", lambda: perceptron(32, 1), digits(500), sgd))
    print(row("wide MLP", lambda: perceptron(960, 2), digits(500), sgd))
    print(row("wide MLP, noise as data", lambda: perceptron(700, 2, 784), noise(500), sgd))
    print(row("small convolutional net", convolutions, digits(500), sgd))
    print(row("transformer", Transformer, text(64), lambda parameters: Adam(parameters, lr=1e-3)))


if __name__ == "__main__":
    main()
