"""Check on what a loss depends: on theta, and on no other copy of the net's parameters."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sharpest.curvature.differentiation import nodes_of

HALF = (torch.float16, torch.bfloat16)


def check_dependence(loss: Callable[[Tensor], Tensor], theta: Tensor, module: nn.Module, twin: nn.Module) -> None:
    """Refuse a loss that does not depend on theta alone, or not in the precision of theta.

    A loss is computed with a copy of the net, whose layers get their parameters from theta. If it also reaches
    parameters of the net itself, or the copy keeps some in another place, that part is constant in theta and its
    curvature would be missing.

    Args:
        loss: The loss of one batch as a function of theta.
        theta: (p,).
        module: The net itself.
        twin: The copy.

    Raises:
        ValueError: If the loss does not depend on theta, reaches parameters of the net itself, rounds to half
            precision, or has gradients that autograd cannot differentiate again; names the remedy.
    """
    leaf = theta.detach().clone().requires_grad_()
    with torch.enable_grad(), _Precise(theta.dtype):
        value = loss(leaf)
    nodes = nodes_of(value)
    reached = {id(node.variable) for node in nodes if hasattr(node, "variable")}
    if name := _reached(module, reached):
        raise ValueError(
            f"the loss uses the parameter {name} of the model itself, not of the copy that is measured; "
            f"{_remedy(module)}"
        )
    if name := _reached(twin, reached):
        raise ValueError(
            f"the model uses its parameter {name} from another place, such as a list; take it from the layer it is in"
        )
    if id(leaf) not in reached:
        raise ValueError(
            "the loss does not depend on the parameters; compute it from the model that it is passed, without "
            "no_grad() or detach()"
        )
    if any(getattr(node, "_saved_sparse", False) for node in nodes):
        raise ValueError("an embedding has sparse gradients, which cannot be differentiated again; use sparse=False")


def _reached(module: nn.Module, leaves: set[int]) -> str:
    """The name of a parameter that is among the leaves; empty if there is none."""
    return next((name for name, parameter in module.named_parameters() if id(parameter) in leaves), "")


def _remedy(module: nn.Module) -> str:
    """What to do if a loss reaches the net itself."""
    replaced = [name or "the model" for name, layer in module.named_modules() if "forward" in vars(layer)]
    if not replaced:
        return "compute it only from the model that it is passed"
    return f"remove the forward that was set on {replaced[0]}, or define it in its class"


class _Precise(TorchFunctionMode):
    """Refuses operations that round to half precision, and reentrant checkpoints, which hide their gradients."""

    def __init__(self, precision: torch.dtype) -> None:
        super().__init__()
        self._half = precision in HALF

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if not torch.is_grad_enabled() and _in_reentrant_checkpoint():
            raise ValueError(
                "a reentrant checkpoint hides gradients from second derivatives; pass use_reentrant=False to "
                "torch.utils.checkpoint"
            )
        if not self._half and isinstance(result, Tensor) and result.requires_grad and result.dtype in HALF:
            precision = str(result.dtype).removeprefix("torch.")
            raise ValueError(
                f"the loss computes in {precision}, which is too coarse for curvature; remove autocast and casts to "
                f"{precision} from the loss and the model"
            )
        return result


def _in_reentrant_checkpoint() -> bool:
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_qualname == "CheckpointFunction.forward":
            return True
    return False
