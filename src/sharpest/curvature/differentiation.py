"""What a loss must be for its second derivatives to exist and be exact."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

from sharpest.errors import SharpestError


class NotTwiceDifferentiableError(SharpestError):
    """The loss has no second derivative that autograd can compute.

    >>> import torch
    >>> from sharpest.curvature import Hessian, NotTwiceDifferentiableError
    >>> words = torch.tensor([[0, 1]])
    >>> def loss(theta, inputs, targets):
    ...     return torch.nn.functional.embedding_bag(words, theta.view(2, 3), mode="max").square().sum()
    >>> try:
    ...     Hessian(loss, torch.ones(6), [(torch.zeros(1), torch.zeros(1))]).product(torch.ones(6))
    ... except NotTwiceDifferentiableError as error:
    ...     print(str(error)[:36])
    the loss is not twice differentiable
    """


def refuse_undifferentiable(gradient: Tensor) -> None:
    """Refuse operations that are differentiable only once, which autograd would silently leave out of a derivative.

    Raises:
        NotTwiceDifferentiableError: If the graph of the gradient holds such an operation.
    """
    if {node.name() for node in nodes_of(gradient)} & {"torch::autograd::Error", "torch::autograd::NotImplemented"}:
        raise NotTwiceDifferentiableError(
            "the loss is not twice differentiable: one of its operations has only a first derivative; replace it, or "
            "take product='central'"
        )


def nodes_of(output: Tensor) -> set[Node]:
    """The nodes of a tensor's graph; those of its leaves have the attribute ``variable``."""
    seen: set[Node] = set()
    pending = [output.grad_fn]
    while pending:
        node = pending.pop()
        if node is not None and node not in seen:
            seen.add(node)
            pending += [following for following, _ in node.next_functions]
    return seen


def differentiate(
    output: Tensor, theta: Tensor, vector: Tensor | None = None, create_graph: bool = False, retain_graph: bool = False
) -> Tensor:
    """The gradient (p,) of an output by theta, or the product of its derivative with a vector of the output's shape.

    Raises:
        NotTwiceDifferentiableError: If autograd cannot differentiate an operation.
    """
    try:
        return torch.autograd.grad(
            output,
            theta,
            vector,
            retain_graph=create_graph or retain_graph,
            create_graph=create_graph,
            materialize_grads=True,
        )[0]
    except RuntimeError as error:
        if not any(
            words in str(error)
            for words in ("not implemented", "once_differentiable", "double backward", "donated buffer")
        ):
            raise
        raise NotTwiceDifferentiableError(
            f"the loss is not twice differentiable ({str(error).splitlines()[0]}); "
            "replace that operation, for instance cuDNN's RNN by your own cells, or take product='central'"
        ) from error


class NotDeterministicError(SharpestError):
    """The loss is not a mean over examples of a function of the parameters.

    >>> import torch
    >>> from sharpest.curvature import Hessian, NotDeterministicError
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout(0.5)).train()
    >>> batches = [(torch.arange(256.0).view(64, 4), torch.zeros(64, dtype=torch.long))]
    >>> try:
    ...     Hessian.of(net, torch.nn.functional.cross_entropy, batches)
    ... except NotDeterministicError as error:
    ...     print(str(error).partition("): ")[2])
    1 (Dropout) in training mode; call eval() on the model
    """


_REMEDY = "call eval() on the model"


def check_deterministic(loss: Callable[[], Tensor], module: nn.Module, remedy: str = _REMEDY) -> None:
    """Evaluate the loss twice, and refuse it if the values differ.

    Args:
        loss: The loss whose Hessian is about to be measured.
        module: The model behind it, which is searched for the cause.
        remedy: Remedy for layers in training mode.

    Raises:
        NotDeterministicError: If the values differ; names the likely layer and the remedy.
    """
    with torch.no_grad():
        first, second = loss().item(), loss().item()
    # two NaNs come from divergence, not from randomness
    if first == second or (first != first and second != second):
        return
    active = _layers(module, lambda layer: layer.training and isinstance(layer, _DropoutNd | _NormBase))
    cause = f"{', '.join(active)} in training mode; {remedy}" if active else (
        "no dropout or batch normalisation is in training mode, so examples or operations change; fix them"
        + f", or {remedy}" * module.training
    )  # fmt: skip
    raise NotDeterministicError(f"the loss is not deterministic ({first!r}, then {second!r}): {cause}")


def check_independent(module: nn.Module, remedy: str = _REMEDY) -> None:
    """Refuse batch normalisation with batch statistics, under which the loss of an example depends on the others.

    Two evaluations agree in spite of it, but the loss is not a mean over examples.

    Args:
        module: The model.
        remedy: Remedy for layers in training mode.

    Raises:
        NotDeterministicError: If there is such a layer; names the layer and the remedy.
    """
    message = "the loss of an example depends on the others of its batch"
    active = _layers(module, lambda layer: layer.training and isinstance(layer, _BatchNorm))
    if active:
        raise NotDeterministicError(f"{message}: {', '.join(active)} in training mode; {remedy}")
    bare = _layers(module, lambda layer: isinstance(layer, _BatchNorm) and layer.running_mean is None)
    if bare:
        raise NotDeterministicError(f"{message}: {', '.join(bare)} has no running averages; let it track them")


def _layers(module: nn.Module, fits: Callable[[nn.Module], bool]) -> list[str]:
    """Name and class of each layer that fits."""
    return [f"{name} ({type(layer).__name__})" for name, layer in module.named_modules() if fits(layer)]


HALF = (torch.float16, torch.bfloat16)


def check_dependence(
    loss: Callable[[Tensor], Tensor], theta: Tensor, module: nn.Module, twin: nn.Module, precise: bool = True
) -> None:
    """Refuse a loss that does not depend on theta alone, or not in the precision of theta.

    A loss is computed with a copy of the net, whose layers get their parameters from theta. If it also reaches
    parameters of the net itself, or the copy keeps some in another place, that part is constant in theta and its
    curvature would be missing.

    Args:
        loss: The loss of one batch as a function of theta.
        theta: (p,).
        module: The net itself.
        twin: The copy.
        precise: Whether to refuse half precision and gradients that cannot be differentiated again.

    Raises:
        ValueError: If the loss does not depend on theta, reaches parameters of the net itself, rounds to half
            precision, or has gradients that autograd cannot differentiate again; names the remedy.
    """
    leaf = theta.detach().clone().requires_grad_()
    with torch.enable_grad(), _Precise(theta.dtype) if precise else nullcontext():
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
    if precise and any(getattr(node, "_saved_sparse", False) for node in nodes):
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
