"""The user's net and loss, as a function of one parameter vector."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import Optimizer

from sharpest.curvature.dependence import check_dependence
from sharpest.curvature.determinism import check_deterministic, check_independent
from sharpest.curvature.differentiation import nodes_of
from sharpest.curvature.module_loss import ModuleLoss
from sharpest.watch.batches import changed, in_double, tensors_in, without_half
from sharpest.watch.undisturbed import WithoutAutocast
from sharpest.watch.wrappers import bare, restore_forwards

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
