"""Checks that a loss is a deterministic mean over examples; otherwise its curvature has no meaning."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.dropout import _DropoutNd

from sharpest.errors import SharpestError


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
