"""Small nets with custom losses, and training loops, for tests of monitors."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

import sharpest

OPTIMIZERS: dict[str, Callable[[Any], Optimizer]] = {
    "gradient descent": lambda parameters: SGD(parameters, lr=0.1, weight_decay=0.01),
    "heavy ball": lambda parameters: SGD(parameters, lr=0.1, momentum=0.9),
    "nesterov": lambda parameters: SGD(parameters, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda parameters: Adam(parameters, lr=0.01, weight_decay=0.01, amsgrad=True),
    "adamw": lambda parameters: AdamW(parameters, lr=0.01, weight_decay=0.1),
    "rmsprop": lambda parameters: RMSprop(parameters, lr=0.01, momentum=0.5, centered=True),
}
ADAPTIVE = ("adam", "adamw", "rmsprop")


def perceptron(seed: int = 0) -> nn.Sequential:
    """93 parameters, with batch normalisation and dropout."""
    torch.manual_seed(seed)
    first = [nn.Linear(6, 5), nn.Tanh(), nn.BatchNorm1d(5), nn.Dropout(0.5)]
    return nn.Sequential(*first, nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 3))


def smooth(seed: int = 0) -> nn.Sequential:
    """53 parameters, with a deterministic loss in any mode."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def examples(count: int = 24, seed: int = 1) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(count, 6, generator=rng), torch.randint(3, (count,), generator=rng)


def cross_entropy(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return functional.cross_entropy(model(batch[0]), batch[1])


def probe(sizes: tuple[int, ...] = (8, 8, 5)) -> list[tuple[Tensor, Tensor]]:
    """Batches, the last one shorter."""
    return [examples(size, seed) for seed, size in enumerate(sizes, start=7)]


def train(net: nn.Module, optimizer: Optimizer, after: Callable[[Any], object], steps: int = 6) -> dict[str, Any]:
    """Train with all kinds of randomness; returns everything that a monitor could have changed."""
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    inputs, targets = examples()
    losses = []
    for _ in range(steps):
        chosen = torch.randperm(len(inputs))[:8]
        batch = inputs[chosen] + 0.01 * float(np.random.rand()) + 0.01 * random.random(), targets[chosen]
        optimizer.zero_grad()
        loss = cross_entropy(net, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        after(batch)
    return {
        "losses": losses,
        "net": copy.deepcopy(net.state_dict()),
        "gradients": [None if value.grad is None else value.grad.clone() for value in net.parameters()],
        "flags": [(layer.training, [value.requires_grad for value in layer.parameters()]) for layer in net.modules()],
        "optimizer": copy.deepcopy(optimizer.state_dict()),
        "randomness": (torch.get_rng_state(), random.getstate(), repr(np.random.get_state())),
    }


def watched_on(net: nn.Module, loss: Callable[[Any, Any], Tensor], batches: list[Any], **given: Any) -> Any:
    """A monitor that has measured three times."""
    monitor = sharpest.watch(net, loss, batches, every=1, **given)
    monitor.step()
    monitor.step()
    return monitor


def same(one: Any, other: Any) -> bool:
    """Whether two nested results are equal bit for bit."""
    if isinstance(one, Tensor):
        return torch.equal(one, other) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(left, right) for left, right in zip(one, other, strict=True))
    return one == other


def dense_hessian(model: nn.Module, loss: Callable[[Any, Any], Tensor], batches: list[Any]) -> Tensor:
    """(p, p) float64 Hessian of the mean over examples, by autograd on a float64 copy, parameter by parameter."""
    model, counts = copy.deepcopy(model).double(), [len(first_tensor(batch)) for batch in batches]
    parameters = [value for value in model.parameters() if value.requires_grad]
    total = sum(loss(model, doubled(batch)) * count / sum(counts) for batch, count in zip(batches, counts, strict=True))
    gradients = torch.autograd.grad(total, parameters, create_graph=True)
    rows = [
        torch.autograd.grad(entry, parameters, retain_graph=True, materialize_grads=True)
        for entry in torch.cat([gradient.flatten() for gradient in gradients])
    ]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])


def first_tensor(batch: Any) -> Tensor:
    return next(iter(batch.values())) if isinstance(batch, dict) else batch[0]


def doubled(batch: Any) -> Any:
    if isinstance(batch, dict):
        return {name: doubled(value) for name, value in batch.items()}
    if isinstance(batch, tuple):
        return tuple(map(doubled, batch))
    return batch.double() if batch.is_floating_point() else batch
