"""The stand-in GPU refuses what a real one refuses, and counts the host synchronisations of a real one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from stand_in_gpu import stand_in_gpu
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorDeviceMismatchError
from torch.nn import functional

CPU_VECTOR = torch.ones(3)
WORDS = torch.zeros(3, dtype=torch.long)


DEVICES, GENERATORS = (
    (FakeTensorDeviceMismatchError, "same device"),
    (RuntimeError, "Expected a 'cuda' device type for"),
)
NUMPY = ((RuntimeError, TypeError), r"numpy\(\) is not supported|convert cuda")
REFUSED = {
    DEVICES: [
        lambda x: x + CPU_VECTOR,
        lambda x: x.add_(CPU_VECTOR),
        lambda x: torch.stack([x, CPU_VECTOR]),
        lambda x: torch.stack([x[0], CPU_VECTOR[0]]),
        lambda x: torch.where(CPU_VECTOR > 0, x, 0.0),
        lambda x: torch.div(CPU_VECTOR, 2, out=x),
        lambda x: functional.embedding(WORDS, x[:, None]),
        lambda x: functional.linear(x, torch.ones(2, 3)),
        lambda x: functional.cross_entropy(x.expand(3, 3), WORDS),
    ],
    GENERATORS: [
        lambda x: torch.randn(3, device="cuda", generator=torch.Generator()),
        lambda x: x.normal_(generator=torch.Generator()),
        lambda x: torch.randn_like(x).bernoulli_(generator=torch.Generator()),
    ],
    NUMPY: [lambda x: x.numpy(), np.asarray, np.linalg.norm, lambda x: np.array([x, x])],
}


@pytest.mark.parametrize(("error", "message"), REFUSED)
def test_what_a_gpu_refuses(error: Any, message: str) -> None:
    for wrong in REFUSED[error, message]:
        with stand_in_gpu(), pytest.raises(error, match=message):
            wrong(torch.ones(3, device="cuda"))


def test_a_wrong_device_within_a_backward_pass() -> None:
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, outer):
            return outer * CPU_VECTOR

    with stand_in_gpu():
        x = torch.ones(3, device="cuda").requires_grad_()
        with pytest.raises(FakeTensorDeviceMismatchError):
            torch.autograd.grad(Wrong.apply(x).sum(), x)


@pytest.mark.parametrize(
    ("allowed", "reads", "uploads"),
    [
        (lambda x: x + torch.tensor(2.0), 0, 0),  # a scalar is passed as an argument of the kernel
        (lambda x: x.add_(x, alpha=2.0), 0, 0),
        (lambda x: x.sum().item(), 1, 0),
        (lambda x: float(x.norm()), 1, 0),
        (lambda x: bool((x > 0).any()), 1, 0),
        (lambda x: x.cpu().numpy(), 1, 0),
        (lambda x: x.nonzero(), 1, 0),
        (lambda x: torch.ones(3).copy_(x), 1, 0),
        (lambda x: x.copy_(torch.ones(3)), 0, 1),
        (lambda x: torch.ones(3).to(x), 0, 1),
        (lambda x: torch.ones(3).to("cuda"), 0, 1),
        (lambda x: x[torch.tensor([0, 2])], 0, 1),
        (lambda x: x.to(torch.float64), 0, 0),
    ],
)
def test_waits_are_counted(allowed: Callable[[Tensor], object], reads: int, uploads: int) -> None:
    with stand_in_gpu() as gpu:
        allowed(torch.ones(3, device="cuda"))
    assert (gpu.reads, gpu.uploads) == (reads, uploads)


def test_tensors_report_their_device() -> None:
    with stand_in_gpu():
        x = torch.ones(3, device="cuda", requires_grad=True)
        (gradient,) = torch.autograd.grad((x * torch.arange(3.0).to(x)).square().sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(gradient, x, torch.ones_like(x))
        layer = torch.nn.Linear(2, 2).to("cuda")
        assert {x.device, gradient.device, second.device, layer.weight.device} == {torch.device("cuda:0")}
        assert x.is_cuda
        assert torch.equal(second.cpu(), torch.tensor([0.0, 2.0, 8.0]))


def test_it_leaves_no_trace() -> None:
    with stand_in_gpu():
        x = torch.ones(3, device="cuda")
    with pytest.raises(RuntimeError, match="after its end"):
        x + x
