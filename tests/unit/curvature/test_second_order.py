"""The layers with hand-written second derivatives, against autograd's, in float64."""

import copy
from collections.abc import Callable

import pytest
import torch
from problems import rng
from torch import Tensor, nn
from torch.nn import functional

from sharpest.curvature.second_order import SecondOrder

pytestmark = pytest.mark.core

LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "convolution": (nn.Conv2d(3, 4, 3), (2, 3, 7, 6)),
    "same": (nn.Conv2d(3, 4, 5, padding="same"), (2, 3, 7, 6)),
    "valid": (nn.Conv2d(3, 4, 3, padding="valid"), (2, 3, 7, 6)),
    "strided": (nn.Conv2d(3, 4, 3, stride=2, padding=1), (2, 3, 8, 7)),
    "dilated in groups": (nn.Conv2d(4, 6, 3, dilation=2, padding="same", groups=2), (2, 4, 9, 8)),
    "uneven": (nn.Conv2d(3, 4, (1, 3), stride=(2, 1), padding=(0, 2)), (2, 3, 7, 6)),
    "wide": (nn.Conv2d(3, 16, 3), (2, 3, 7, 6)),
    "with more margin than kernel": (nn.Conv2d(3, 4, 3, padding=3), (2, 3, 5, 4)),
    "without bias": (nn.Conv2d(3, 4, 3, bias=False), (2, 3, 6, 6)),
    "words": (nn.Conv1d(3, 4, 3), (2, 3, 9)),
    "dense over time": (nn.Linear(3, 4), (2, 5, 3)),
    "dense over time without bias": (nn.Linear(3, 4, bias=False), (2, 5, 3)),
    "relu": (nn.ReLU(), (3, 5)),
    "pooling": (nn.MaxPool2d(2), (2, 3, 8, 6)),
    "overlapping pooling": (nn.MaxPool2d(3, stride=2, padding=1), (2, 3, 8, 7)),
    "pooling with a rest": (nn.MaxPool2d(2, ceil_mode=True), (2, 3, 7, 5)),
}
FALLING_BACK: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "even kernel": (nn.Conv2d(3, 4, 2, padding="same"), (2, 3, 7, 6)),
    "dense": (nn.Linear(3, 4), (2, 3)),
    "one image": (nn.Conv2d(3, 4, 3), (3, 7, 6)),
    "pooling of one image": (nn.MaxPool2d(2), (3, 8, 6)),
}


def second_derivatives(net: Callable[[Tensor], Tensor], x: Tensor, weights: list[Tensor], part: slice) -> list[Tensor]:
    """Second derivatives of a smooth function of the output along random vectors, by (x, *weights) or some of them."""
    arguments = [x, *weights][part]
    output = net(x)
    value = (output * torch.randn(output.shape, generator=rng(1), dtype=x.dtype)).exp().sum()
    gradients = torch.autograd.grad(value, arguments, create_graph=True)
    vectors = [torch.randn(g.shape, generator=rng(2), dtype=x.dtype) for g in gradients]
    return list(torch.autograd.grad(gradients, arguments, vectors, materialize_grads=True))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("part", [slice(None), slice(0, 1), slice(1, None), slice(2, None)], ids=str)
@pytest.mark.parametrize("name", LAYERS | FALLING_BACK)
def test_second_derivatives_are_autograds(name: str, part: slice, layout: torch.memory_format) -> None:
    layer, shape = (LAYERS | FALLING_BACK)[name]
    layer = copy.deepcopy(layer).double()
    x = torch.randn(shape, generator=rng(0), dtype=torch.float64)
    if len(shape) == 4:
        x = x.to(memory_format=layout)
    x.requires_grad_()
    weights = list(layer.parameters())
    if not [x, *weights][part]:
        return  # nothing to differentiate
    with SecondOrder():
        ours = second_derivatives(layer, x, weights, part)
    for mine, other in zip(ours, second_derivatives(layer, x, weights, part), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-13)


def test_layers_and_functional_forms_replace_autograds() -> None:
    image, logits = torch.randn(1, 1, 4, 4).requires_grad_(), torch.randn(2, 3).requires_grad_()
    with SecondOrder():
        outputs = [copy.deepcopy(layer)(torch.randn(shape).requires_grad_()) for layer, shape in LAYERS.values()]
        outputs += [image.relu(), torch.relu(image), functional.relu(image), functional.max_pool2d(image, 2)]
        outputs.append(functional.cross_entropy(logits, torch.tensor([0, 2])))
    outputs = [output if output._base is None else output._base for output in outputs]  # some are views
    assert all(type(output.grad_fn).__name__.startswith("_") for output in outputs)


def cross_entropy_derivatives(logits: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
    """Derivatives by the logits and by the weight of the loss, which enters the gradient as a factor."""
    weight = torch.tensor(0.7, dtype=logits.dtype, requires_grad=True)
    loss = functional.cross_entropy(logits, targets)
    (gradient,) = torch.autograd.grad((weight * loss).square(), logits, create_graph=True)
    vector = torch.randn(logits.shape, generator=rng(2), dtype=logits.dtype)
    return torch.autograd.grad(gradient, (logits, weight), vector)


@pytest.mark.parametrize("targets", [[0, 3, 1, 3, 2], [0, -100, 1, 3, -100]])
def test_the_cross_entropy(targets: list[int]) -> None:
    """Also with ignored targets; other reductions are left alone."""
    logits = torch.randn(5, 4, generator=rng(0), dtype=torch.float64, requires_grad=True)
    total = functional.cross_entropy(logits, torch.tensor(targets), reduction="sum")
    with SecondOrder():
        ours = cross_entropy_derivatives(logits, torch.tensor(targets))
        assert torch.equal(functional.cross_entropy(logits, torch.tensor(targets), reduction="sum"), total)
    for mine, other in zip(ours, cross_entropy_derivatives(logits, torch.tensor(targets)), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["convolution", "pooling", "relu", "dense over time"])
def test_third_derivatives_are_autograds(name: str) -> None:
    layer, shape = LAYERS[name]
    layer, x = copy.deepcopy(layer).double(), torch.randn(shape, generator=rng(0), dtype=torch.float64).requires_grad_()
    arguments = [x, *layer.parameters()]

    def third() -> tuple[Tensor, ...]:
        derivatives: tuple[Tensor, ...] = (layer(x).exp().sum(),)
        for seed in range(3):
            vectors = [torch.randn(part.shape, generator=rng(seed), dtype=x.dtype) for part in derivatives]
            derivatives = torch.autograd.grad(derivatives, arguments, vectors, create_graph=True)
        return derivatives

    with SecondOrder():
        ours = third()
    for mine, other in zip(ours, third(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-13)
