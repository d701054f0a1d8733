"""Remove what compilers, distribution and mixed precision put around a net."""

from __future__ import annotations

from collections.abc import Mapping
from types import MethodType
from typing import Any

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

# decorators from these modules change speed or precision of a forward, not what it computes
_KEEP_THE_FUNCTION = ("torch._dynamo.", "torch.amp.autocast_mode", "accelerate.utils.operations")


def bare(model: nn.Module) -> nn.Module:
    """The net without wrappers for compilation or distribution."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, DataParallel | DistributedDataParallel):
            inner = model.module
        if inner is None:
            return model
        model = inner


def bare_optimizer(optimizer: Any) -> Any:
    """The optimizer without the wrapper of accelerate or Lightning; anything else unchanged."""
    # only of these packages: an optimizer of another class may hold one and step differently
    while type(optimizer).__module__.startswith(("accelerate.", "lightning.", "pytorch_lightning.")):
        optimizer = optimizer.optimizer
    return optimizer


def refuse_sharded(model: nn.Module) -> None:
    """Refuse a net that is sharded by either version of FSDP.

    Raises:
        ValueError: If it is: this process holds only a part of the parameters.
    """
    # by name, because importing the classes takes seconds
    classes = {kind.__name__ for layer in model.modules() for kind in type(layer).__mro__}
    if classes & {"FullyShardedDataParallel", "FSDPModule"}:
        raise ValueError(
            "the model is sharded by FSDP, so that one process holds only a part of its parameters; gather them (with "
            "torch.distributed.checkpoint.state_dict) in a plain copy of the net, and watch that"
        )


def restore_forwards(model: nn.Module, twin: nn.Module, copies: Mapping[int, Any]) -> None:
    """Give the layers of a copied net forwards without wrappers, which belong to the copy.

    A forward that was set on a layer may be a closure over the original layer, as from ``torch.compile(net.forward)``.
    Decorators of torch and accelerate are removed. Others stay, because they may change the output.

    Args:
        model: The net.
        twin: Its copy, changed in place.
        copies: Copies by the id of the original, from ``copy.deepcopy``.
    """
    for layer, of_twin in zip(model.modules(), twin.modules(), strict=True):
        function, owner = _parts(vars(layer).get("forward"))
        if not _keeps_the_function(function):
            continue
        while _keeps_the_function(function):
            function, inner_owner = _parts(function.__wrapped__)
            owner = owner or inner_owner
        # not by setattr, which a wrapper for compilation passes on to its net
        vars(of_twin)["forward"] = function if owner is None else MethodType(function, copies.get(id(owner), owner))


def _parts(forward: Any) -> tuple[Any, Any]:
    """The function of a method, and the object that it is bound to; None if there is none."""
    return getattr(forward, "__func__", forward), getattr(forward, "__self__", None)


def _keeps_the_function(forward: Any) -> bool:
    """Whether it is a decorated function, by a decorator that keeps what the function computes."""
    module = getattr(forward, "__globals__", {}).get("__name__") or type(forward).__module__
    return hasattr(forward, "__wrapped__") and module.startswith(_KEEP_THE_FUNCTION)
