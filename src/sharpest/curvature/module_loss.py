"""The loss of a module as a function of one vector of its parameters."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sharpest.curvature.differentiation import check_dependence, check_deterministic, check_independent


class ModuleLoss:
    """``loss(theta, inputs, targets)`` of a module's outputs, for ``sharpest.curvature.hessian.Hessian``.

    It uses a copy of the module in its current mode: neither affects the other, and further training does not change
    the function. Parameters that need no gradient are constants; tied parameters count once, under their first name.

    Args:
        module: The net.
        loss: ``loss(outputs, targets)``, the mean over the examples given.

    Attributes:
        theta: (p,), the trainable parameters, flattened in the order of ``named_parameters``.
        parts: Slices of theta by parameter name.

    Raises:
        ValueError: If the module has no trainable parameters.
    """

    def __init__(self, module: nn.Module, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        trainable = {name: value.detach() for name, value in module.named_parameters() if value.requires_grad}
        if not trainable:
            raise ValueError("the module has no trainable parameters; set requires_grad on those to differentiate")
        self._module = copy.deepcopy(module)
        for layer in self._module.modules():
            if isinstance(layer, nn.Embedding):
                layer.sparse = False  # the same gradients, in a form that autograd can differentiate again
        self._loss = loss
        self._shapes = {name: value.shape for name, value in trainable.items()}
        self._sizes = [value.numel() for value in trainable.values()]
        ends = list(itertools.accumulate(self._sizes))
        self.parts = {
            name: slice(end - size, end) for name, size, end in zip(trainable, self._sizes, ends, strict=True)
        }
        self.theta = torch.cat([value.reshape(-1) for value in trainable.values()])

    def __call__(self, theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss over the examples, a scalar, at parameters (p,)."""
        pieces = zip(self._shapes.items(), theta.split(self._sizes), strict=True)
        values = {name: piece.view(shape) for (name, shape), piece in pieces}
        mean = self._loss(functional_call(self._module, values, (inputs,)), targets)
        if mean.numel() != 1:
            raise ValueError(
                f"the loss has the shape {tuple(mean.shape)}; it must be one number, the mean over a batch"
            )
        return mean

    def check(self, module: nn.Module, inputs: Tensor, targets: Tensor) -> None:
        """Check that the loss is a function of its arguments.

        Args:
            module: The net itself, which the loss must not reach.
            inputs, targets: A batch.

        Raises:
            NotDeterministicError: If it takes different values; names the likely layer.
            ValueError: If it does not depend on theta alone; see ``check_dependence``.
        """
        check_dependence(lambda theta: self(theta, inputs, targets), self.theta, module, self._module)
        check_independent(self._module)
        check_deterministic(lambda: self(self.theta, inputs, targets), self._module)
