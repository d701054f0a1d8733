"""The net, its batches, and the wrappers around them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MethodType
from typing import Any

from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim import Optimizer

from sharpest.curvature.differentiation import HALF, check_dependence, check_deterministic, check_independent, nodes_of
from sharpest.curvature.module_loss import ModuleLoss
from sharpest.watch.undisturbed import WithoutAutocast


def changed(batch: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A batch of the same structure, with ``change`` applied to each tensor."""
    if isinstance(batch, Tensor):
        return change(batch)
    if isinstance(batch, Mapping):
        mapping: Any = copy.copy(batch)
        for name, value in batch.items():
            mapping[name] = changed(value, change)
        return mapping
    if isinstance(batch, list | tuple):
        values = [changed(value, change) for value in batch]
        return type(batch)(*values) if hasattr(batch, "_fields") else type(batch)(values)
    if _is_dataclass(batch):
        twin = copy.copy(batch)
        for name, value in _fields(batch).items():
            object.__setattr__(twin, name, changed(value, change))  # also if it is frozen
        return twin
    return batch


def _is_dataclass(batch: Any) -> bool:
    return dataclasses.is_dataclass(batch) and not isinstance(batch, type)


def _fields(batch: Any) -> dict[str, Any]:
    return {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}


def tensors_in(batch: Any) -> list[Tensor]:
    """The tensors of a batch, in order."""
    found: list[Tensor] = []

    def note(value: Tensor) -> Tensor:
        found.append(value)
        return value

    changed(batch, note)
    return found


def placed(batches: Sequence[Any], module: nn.Module) -> list[Any]:
    """Batches on the device of a net, their floating-point tensors in its dtype."""
    like = next(value for value in module.parameters() if value.is_floating_point())

    def place(value: Tensor) -> Tensor:
        return value.to(like.device, like.dtype if value.is_floating_point() else value.dtype)

    return [changed(batch, place) for batch in batches]


def without_half(value: Tensor) -> Tensor:
    """A half-precision tensor as float32; others unchanged."""
    return value.float() if value.dtype in HALF else value


def in_double(value: Tensor) -> Tensor:
    """A floating-point tensor as float64; others unchanged."""
    return value.double() if value.is_floating_point() else value


def num_examples(batch: Any) -> int | None:
    """The first dimension, if all tensors of a batch share it; else None."""
    lengths = {len(tensor) for tensor in tensors_in(batch) if tensor.dim()}
    return lengths.pop() if len(lengths) == 1 else None


def as_probe(probe: Iterable[Any]) -> list[Any]:
    """The probe as a list of batches.

    Raises:
        ValueError: If there is no batch, if a batch is empty, or if the probe is itself a batch.
    """
    if (
        isinstance(probe, Tensor | Mapping)
        or _is_dataclass(probe)
        or (isinstance(probe, tuple) and all(isinstance(part, Tensor) for part in probe))
    ):
        raise ValueError("probe is a single batch, expected a list of batches; pass [batch]")
    batches = list(probe)
    if not batches:
        raise ValueError("probe is empty; pass a list of one or more batches, such as [next(iter(loader))]")
    if any(num_examples(batch) == 0 for batch in batches):
        raise ValueError("probe has a batch without examples; remove it")
    return batches


def weights_of(batches: Sequence[Any]) -> list[int] | None:
    """Number of examples in each batch; None if it is unknown for one of them."""
    counts = [num_examples(batch) for batch in batches]
    return None if None in counts else [count for count in counts if count is not None]


class MiniBatches:
    """Training mini-batches, some for each measurement; after the last one they start again.

    Args:
        source: A loader, or an iterator used for nothing else; None = no mini-batches.
    """

    def __init__(self, source: Iterable[Any] | None) -> None:
        self._source = source
        self._open: Iterator[Any] | None = None

    def next(self, count: int) -> list[Any]:
        """The next ``count`` batches; fewer if an iterator has ended."""
        assert self._source is not None
        batches: list[Any] = []
        for _ in range(2):
            self._open = iter(self._source) if self._open is None else self._open
            for batch in self._open:
                batches.append(batch)
                if len(batches) == count:
                    return batches
            self._open = None
        return batches


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


Loss = Callable[[Any, Any], Tensor]
"""``loss(model, batch)``, a tensor of one number."""

_REMEDY = 'pass mode="inference", which measures a copy in inference mode, or call eval() on the model before'


def trained(model: nn.Module, optimizer: Optimizer | None) -> list[nn.Parameter]:
    """The parameters with respect to which the loss is differentiated, each once, in the order of the vector.

    Args:
        model: The net, without wrappers.
        optimizer: Only the parameters that it updates count; None = all that require a gradient.

    Raises:
        ValueError: If there are none, if one is not real, or if they are on several devices.
    """
    parameters = [value for value in model.parameters() if value.requires_grad]
    if not parameters:
        raise ValueError("the model has no trainable parameter; set requires_grad on the parameters to measure")
    if optimizer is not None:
        updated = {id(value) for group in optimizer.param_groups for value in group["params"]}
        parameters = [value for value in parameters if id(value) in updated]
        if not parameters:
            raise ValueError("the optimizer trains none of the model's parameters; pass the one that does")
    if not all(value.is_floating_point() for value in parameters):
        raise ValueError("the model has complex parameters, but curvature is measured for real parameters only")
    devices = {str(value.device) for value in parameters}
    if len(devices) > 1:
        raise ValueError(f"the model's parameters are on {', '.join(sorted(devices))}; move them to one device")
    return parameters


class _WithLoss(nn.Module):
    """The net, with the loss of a batch as its output."""

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model = model
        self._loss = [loss]  # in a list, so that a loss that is a module does not become a part of this one

    def forward(self, batch: Any) -> Tensor:
        value = self._loss[0](self.model, batch)
        if not isinstance(value, Tensor):
            raise ValueError(f"loss(model, batch) returns {type(value).__name__}, expected a tensor with one element")
        return value.reshape(()) if value.numel() == 1 else value

    def __deepcopy__(self, memo: dict[int, Any]) -> _WithLoss:
        # not a copy of the loss: it may be a method that holds a whole trainer
        return _WithLoss(copy.deepcopy(self.model, memo), self._loss[0])


class BatchLoss(ModuleLoss):
    """``loss(theta, batch, examples)``: the user's loss of a batch at parameters (p,).

    It is computed with a copy of the net, which is in float32 if the net is in half precision.

    Args:
        model: The net, without wrappers.
        loss: The user's loss.
        parameters: Those of its parameters that theta holds; the others are constants.
        inference: Whether the copy is in inference mode; else it has the mode of the net.
        double: Whether to compute in float64.

    Attributes:
        net: A copy of the net, in the measured mode.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        parameters: Sequence[nn.Parameter],
        inference: bool,
        double: bool = False,
    ) -> None:
        self._change = in_double if double else without_half
        # _apply changes every tensor and leaves tied parameters tied
        self.net = _copied(model)._apply(self._change)
        measured = set(map(id, parameters))
        for value, of_copy in zip(model.parameters(), self.net.parameters(), strict=True):
            of_copy.requires_grad_(id(value) in measured)
        if inference:
            self.net.eval()
        super().__init__(_WithLoss(self.net, loss), lambda value, _: value)
        self._twin: nn.Module = self._module.get_submodule("model")

    def __call__(self, theta: Tensor, batch: Any, examples: Any = None) -> Tensor:
        try:
            with WithoutAutocast(theta.device):
                return super().__call__(theta, changed(batch, self._change), examples)
        except RuntimeError as error:
            self._refuse_unlike(batch, error)
            raise
        except AttributeError as error:
            if error.name in ("module", "_orig_mod") and error.obj is self._twin:
                raise ValueError(
                    f"loss(model, batch) uses model.{error.name}, but it gets the net without its wrapper; use model"
                ) from error
            raise

    def check_function(self, model: nn.Module, batch: Any) -> None:
        """Check on one batch that the loss depends only on the parameters.

        Args:
            model: The net itself, which the loss must not reach.
            batch: A batch.

        Raises:
            ValueError: If the loss is not one number, does not depend on the measured parameters alone, or the batch is
                on another device or in another precision.
            NotDeterministicError: If repeated calls differ; names the layer that is likely at fault, and the remedy.
        """
        check_independent(self.net, _REMEDY)
        check_dependence(lambda theta: self(theta, batch), self.theta, model, self._twin)
        check_deterministic(lambda: self(self.theta, batch), self.net, _REMEDY)

    def _refuse_unlike(self, batch: Any, error: Exception) -> None:
        """Raise a clear error if another device or precision of the batch than that of the model caused ``error``."""
        others = {str(tensor.device) for tensor in tensors_in(batch)} - {str(self.theta.device)}
        if others:
            raise ValueError(
                f"a batch is on {', '.join(sorted(others))}, but the model is on {self.theta.device}; move the batch "
                "there, in the probe or in the loss"
            ) from error
        tensors = tensors_in(changed(batch, self._change))
        kinds = {str(tensor.dtype) for tensor in tensors if tensor.is_floating_point()} - {str(self.theta.dtype)}
        if kinds and "dtype" in str(error):
            raise ValueError(
                f"a batch is in {', '.join(sorted(kinds))}, but the model is in {self.theta.dtype}; convert the batch, "
                "in the probe or in the loss"
            ) from error

    def uses_fused_attention(self, batch: Any) -> bool:
        """Whether training uses a fused attention kernel, which has no second derivative."""
        with sdpa_kernel([backend for backend in SDPBackend.__members__.values() if backend != SDPBackend.ERROR]):
            value = self(self.theta.clone().requires_grad_(), batch)
        return any(node.name().startswith("ScaledDotProduct") for node in nodes_of(value))


def _copied(model: nn.Module) -> nn.Module:
    """A copy of a net, without wrappers that compile parts of it.

    Tensors that a forward pass left in the net are not copied: they are not needed, and deepcopy refuses them.
    """
    tensors = [value for layer in model.modules() for value in vars(layer).values() if isinstance(value, Tensor)]
    memo: dict[int, Any] = {id(value): value.detach() for value in tensors if not value.is_leaf}
    try:
        net = copy.deepcopy(model, memo)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"the model cannot be copied ({error}); remove the part that copy.deepcopy refuses") from error
    restore_forwards(model, net, memo)
    for module in list(net.modules()):
        for name, part in module.named_children():
            module.add_module(name, bare(part))
    return net
