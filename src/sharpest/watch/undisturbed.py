"""Measure within a training loop without changing its state."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode


@contextmanager
def undisturbed(device: torch.device, inference: bool = False) -> Iterator[None]:
    """A context for exact derivatives, which restores all state on exit.

    On exit it restores random states, precision and cuDNN flags, gradient mode, and the mode and buffers of every net
    that was called. Inside, autocast is off, attention uses the math kernel (the only one with second derivatives), and
    compiled code runs uncompiled.

    Args:
        device: Device of the parameters; it is synchronised before and after, so that times are correct.
        inference: Whether to put every net that is called in inference mode.
    """
    with ExitStack() as stack:
        stack.callback(_wait_for, device)
        _wait_for(device)
        for context in (_same_randomness(), _full_precision(), _same_nets(inference), torch.inference_mode(False)):
            stack.enter_context(context)
        stack.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":  # random vectors are drawn on the CPU
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(_no_autocast(device))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        # looked up in sys.modules, because importing the compiler takes seconds
        if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


class WithoutAutocast(TorchFunctionMode):
    """Mode in which autocast is off in every operation, also within code that turns it on.

    Args:
        device: Device of the parameters.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        with _no_autocast(self._device):
            return function(*args, **(kwargs or {}))


@contextmanager
def _no_autocast(device: torch.device) -> Iterator[None]:
    with ExitStack() as stack:
        for kind in {"cpu", device.type}:
            if _has_autocast(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


def where_it_is_called(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The user's loss under the current default device, on which the loss creates tensors in training, too."""
    default = torch.get_default_device()
    if default.type == "cpu":
        return loss

    def on_default_device(*arguments: Any) -> Tensor:
        with default:
            return loss(*arguments)

    return on_default_device


def _has_autocast(kind: str) -> bool:
    # torch before 2.4 lacks this function, and has autocast on these devices
    if not hasattr(torch.amp, "is_autocast_available"):
        return kind in ("cpu", "cuda")
    return torch.amp.is_autocast_available(kind)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _same_randomness() -> Iterator[None]:
    states: list[tuple[Callable[[Any], object], Any]] = [
        (torch.set_rng_state, torch.get_rng_state()),
        (random.setstate, random.getstate()),
        (np.random.set_state, np.random.get_state()),
    ]
    if torch.cuda.is_initialized():
        states.append((torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    if torch.backends.mps.is_available():
        states.append((torch.mps.set_rng_state, torch.mps.get_rng_state()))
    try:
        yield
    finally:
        for restore, state in states:
            restore(state)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Full float32 and reproducible kernels; otherwise a GPU may round to TF32, which is too coarse for curvature."""
    flags: list[tuple[Any, str, Any]] = [
        (torch.backends.cudnn, "benchmark", False),
        (torch.backends.cudnn, "deterministic", True),
    ]
    if hasattr(torch.backends, "fp32_precision"):
        parts = ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")
        owners = [torch.backends, *(attrgetter(part)(torch.backends) for part in parts)]
        flags += [(owner, "fp32_precision", "ieee") for owner in owners]
    else:
        flags += [(torch.backends.cuda.matmul, "allow_tf32", False), (torch.backends.cudnn, "allow_tf32", False)]
    before = []
    try:
        for owner, name, value in flags:
            before.append((owner, name, getattr(owner, name)))
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in reversed(before):
            setattr(owner, name, value)


@contextmanager
def _same_nets(inference: bool) -> Iterator[None]:
    """Restore mode and buffers of every net that is called; a loss may call other nets than the measured one."""
    kept: dict[nn.Module, tuple[bool, list[tuple[Tensor, Tensor]]]] = {}

    def keep(module: nn.Module, inputs: object) -> None:
        if module not in kept:
            buffers = [buffer for buffer in module.buffers(recurse=False) if type(buffer) is Tensor]
            kept[module] = module.training, [(buffer, buffer.detach().clone()) for buffer in buffers]
            module.training = module.training and not inference

    handle = register_module_forward_pre_hook(keep)
    try:
        yield
    finally:
        handle.remove()
        with torch.no_grad():
            for module, (training, buffers) in kept.items():
                module.training = training
                for buffer, value in buffers:
                    buffer.copy_(value)
