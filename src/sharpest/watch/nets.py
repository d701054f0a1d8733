"""The user's net and loss, as a function of one parameter vector."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parallel import DataParallel, DistributedDataParallel

from sharpest.curvature.determinism import check_deterministic, check_independent
from sharpest.curvature.module_loss import ModuleLoss
from sharpest.watch.batches import changed, in_double, tensors_in, without_half

Loss = Callable[[Any, Any], Tensor]
"""``loss(model, batch)``, a tensor of one number."""

_REMEDY = 'pass mode="inference", which measures a copy in inference mode, or call eval() on the model before'


def bare(model: nn.Module) -> nn.Module:
    """The net without wrappers for compilation or distribution."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, DataParallel | DistributedDataParallel):
            inner = model.module
        if inner is None:
            return model
        model = inner


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters with respect to which the loss is differentiated, each once, in the order of the vector.

    Raises:
        ValueError: If there are none, if one is not real, or if they are on several devices.
    """
    parameters = [value for value in model.parameters() if value.requires_grad]
    if not parameters:
        raise ValueError("the model has no trainable parameter; set requires_grad on the parameters to measure")
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
        inference: Whether the copy is in inference mode; else it has the mode of the net.
        double: Whether to compute in float64.

    Attributes:
        net: A copy of the net, in the measured mode.
    """

    def __init__(self, model: nn.Module, loss: Loss, inference: bool, double: bool = False) -> None:
        self._change = in_double if double else without_half
        # _apply changes every tensor and leaves tied parameters tied
        self.net = _copied(model)._apply(self._change)
        if inference:
            self.net.eval()
        super().__init__(_WithLoss(self.net, loss), lambda value, _: value)

    def __call__(self, theta: Tensor, batch: Any, examples: Any = None) -> Tensor:
        try:
            return super().__call__(theta, changed(batch, self._change), examples)
        except RuntimeError as error:
            self._refuse_elsewhere(batch, error)
            raise

    def check_function(self, batch: Any) -> None:
        """Check on one batch that the loss depends only on the parameters.

        Raises:
            ValueError: If the loss is not one number, or the batch is on another device.
            NotDeterministicError: If repeated calls differ; names the layer that is likely at fault, and the remedy.
        """
        check_independent(self.net, _REMEDY)
        check_deterministic(lambda: self(self.theta, batch), self.net, _REMEDY)

    def _refuse_elsewhere(self, batch: Any, error: Exception) -> None:
        """Raise a clear error if the batch is on another device than the model, which then caused ``error``."""
        others = {str(tensor.device) for tensor in tensors_in(batch)} - {str(self.theta.device)}
        if others:
            raise ValueError(
                f"a batch is on {', '.join(sorted(others))}, but the model is on {self.theta.device}; move the batch "
                "there, in the probe or in the loss"
            ) from error

    def uses_fused_attention(self, batch: Any) -> bool:
        """Whether training uses a fused attention kernel, which has no second derivative.

        Raises:
            ValueError: If the loss does not depend on the parameters.
        """
        with sdpa_kernel([backend for backend in SDPBackend.__members__.values() if backend != SDPBackend.ERROR]):
            value = self(self.theta.clone().requires_grad_(), batch)
        if not value.requires_grad:
            raise ValueError(
                "the loss does not depend on the parameters; loss(model, batch) must use its argument model"
            )
        seen, pending = set(), [value.grad_fn]
        while pending:
            node = pending.pop()
            if node is not None and node not in seen:
                seen.add(node)
                pending += [following for following, _ in node.next_functions]
        return any(node.name().startswith("ScaledDotProduct") for node in seen)


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
    for module in list(net.modules()):
        for name, part in module.named_children():
            module.add_module(name, bare(part))
    return net
