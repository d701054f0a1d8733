"""A loss must be a function before its curvature means anything."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sharpest.errors import SharpestError


class NotDeterministicError(SharpestError):
    """The loss gave two values at one point."""


def check_deterministic(loss: Callable[[], Tensor], module: nn.Module) -> None:
    """Evaluate the loss twice and refuse to go on if it differs.

    Args:
        loss: The loss whose Hessian is about to be measured.
        module: The model behind it; searched for the cause.

    Raises:
        NotDeterministicError: With the layer that is likely at fault, and the remedy.
    """
    with torch.no_grad():
        first, second = loss().item(), loss().item()
    # a diverged loss is not a random one
    if first == second or (first != first and second != second):
        return
    active = [
        f"{name} ({type(layer).__name__})"
        for name, layer in module.named_modules()
        if layer.training and isinstance(layer, nn.modules.dropout._DropoutNd | nn.modules.batchnorm._NormBase)
    ]
    cause = f"{', '.join(active)} in training mode; call eval() on the model" if active else (
        "no dropout or batch normalisation is in training mode, so examples or operations change; fix them"
    )  # fmt: skip
    raise NotDeterministicError(f"the loss is not deterministic ({first!r}, then {second!r}): {cause}")
