"""The user's net and loss, behind imported checkpoints, as a function of one parameter vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from sharpest.config.architectures import ImportedNetSettings
from sharpest.data.dataset import RunData
from sharpest.data.imported import Examples, ImportedData, named, users_code
from sharpest.errors import DataError
from sharpest.models.flat import FlatModel

Loss = Callable[[Any, Any], Tensor]


def build_net(settings: Mapping[str, Any]) -> tuple[nn.Module, Loss]:
    """The net, in float32, and the loss of a run.

    Raises:
        DataError: If the net or the loss is not a function, or the former does not return a net.
    """
    names = ImportedNetSettings.model_validate(settings)
    build, loss = named(names.net, "--net"), named(names.loss, "--loss")
    for what, function in ((f"--net {names.net}", build), (f"--loss {names.loss}", loss)):
        if not callable(function):
            raise DataError(f"{what} is {type(function).__name__}, expected a function")
    with users_code(f"--net {names.net}"):
        net = build()
    if not isinstance(net, nn.Module):
        raise DataError(f"--net {names.net} returns {type(net).__name__}, expected a torch.nn.Module")
    return net.float(), loss


def imported_model(settings: Mapping[str, Any], data: RunData) -> ImportedModel:
    """The user's loss on the data of an imported run, on their device.

    Raises:
        DataError: If the user's code does not provide a net and a loss.
    """
    assert isinstance(data, ImportedData)
    net, loss = build_net(settings)
    return ImportedModel(net.to(data.train.inputs.device), loss, data.examples)


class _WithLoss(nn.Module):
    """The net, with the loss of a batch as its output."""

    def __init__(self, net: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.net = net
        self._loss = [loss]  # in a list, so that a loss that is a module does not become a part of this one

    def forward(self, batch: Any) -> Tensor:
        return self._loss[0](self.net, batch)


class ImportedModel(FlatModel):
    """The user's loss as a function of theta; its inputs are row numbers of the examples.

    The vector of buffers excludes integer buffers, such as positions, which training does not change.

    Args:
        net: The user's net, with its parameters on the device.
        loss: ``loss(net, batch)``, the mean over the batch.
        examples: Examples on the same device.
    """

    def __init__(self, net: nn.Module, loss: Loss, examples: Examples) -> None:
        super().__init__(net)
        self._with_loss, self._examples = _WithLoss(net, loss), examples

    @staticmethod
    def _carried(module: nn.Module) -> dict[str, Tensor]:
        return {name: value for name, value in module.named_buffers() if value.is_floating_point()}

    def loss(self, theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss over rows (n,) of the examples; a scalar, twice differentiable in theta."""
        return self._call(theta, self.buffers.to(theta.dtype), inputs)

    def _call(self, theta: Tensor, buffers: Tensor, inputs: Tensor) -> Tensor:
        values = {f"net.{name}": value for name, value in {**self.views(theta), **self.buffer_views(buffers)}.items()}
        # fused attention has no second derivative
        with sdpa_kernel(SDPBackend.MATH):
            value = functional_call(self._with_loss, values, (self._examples.taken(inputs, theta.dtype),))
        if not isinstance(value, Tensor) or value.numel() != 1:
            kind = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise DataError(f"loss(model, batch) returns {kind}, expected a tensor with one element")
        return value.reshape(()).to(theta.dtype)
