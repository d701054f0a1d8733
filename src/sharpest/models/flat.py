"""A model as a function of one vector that holds all its parameters."""

import copy
import itertools
import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

_CHANNELS_LAST_SIDE = 28  # pixels


class FlatModel:
    """Logits and loss of a module as functions of a vector theta of all its p parameters.

    The module's own parameters never change. Theta is cut into views, so that training, differentiation and storage
    deal with a single tensor. The buffers of the net (running averages of batch normalisation, the state of an LSTM)
    form another vector, of b values. All computation is in the dtype of theta.

    The measured loss is the loss in inference mode: running averages, no dropout, zero state.

    Args:
        module: The net.
        l2: Adds l2 * sum(w^2) over kernels (arrays of two or more dimensions), without a factor 1/2 (inventory 1.2).
        loss: The loss function, a key of ``LOSSES``.

    Attributes:
        criterion: The loss function.
        buffers: (b,), the buffers of inference mode; see ``bind``.
    """

    mode = "inference"

    def __init__(self, module: nn.Module, l2: float = 0.0, loss: str = "cross_entropy") -> None:
        self.module = module.eval()
        self.l2 = l2
        self.criterion = LOSSES[loss]
        self.layout = [(name, tuple(value.shape)) for name, value in module.named_parameters()]
        self._sizes = [math.prod(shape) for _, shape in self.layout]
        self.num_parameters = sum(self._sizes)
        buffers = self._carried(module)
        self.buffer_layout = [(name, tuple(value.shape)) for name, value in buffers.items()]
        self._buffer_sizes = [math.prod(shape) for _, shape in self.buffer_layout]
        self.buffers = self.initial_buffers()
        drops = any(isinstance(layer, nn.Dropout) and layer.p > 0 for layer in module.modules())
        self._trains_otherwise = drops or bool(buffers)

    @staticmethod
    def _carried(module: nn.Module) -> dict[str, Tensor]:
        """The buffers that the vector holds, by name."""
        return dict(module.named_buffers())

    def initial(self) -> Tensor:
        """(p,), a copy of the module's own parameters."""
        return torch.cat([value.detach().reshape(-1) for value in self.module.parameters()])

    def initial_buffers(self) -> Tensor:
        """(b,), a copy of the module's own buffers."""
        empty = self.initial().new_empty(0)
        values = self._carried(self.module).values()
        return torch.cat([empty, *(value.reshape(-1).to(empty) for value in values)])

    def bind(self, buffers: Tensor) -> "FlatModel":
        """The same model with other buffers (b,) for inference mode."""
        bound = copy.copy(self)
        bound.buffers = buffers
        return bound

    def views(self, theta: Tensor) -> dict[str, Tensor]:
        """Parameters by name as views of theta (p,)."""
        parts = theta.split(self._sizes)
        return {name: part.view(shape) for (name, shape), part in zip(self.layout, parts, strict=True)}

    def parts(self) -> dict[str, slice]:
        """Parameter name -> its slice of theta (p,)."""
        ends = list(itertools.accumulate(self._sizes))
        return {
            name: slice(end - size, end) for (name, _), size, end in zip(self.layout, self._sizes, ends, strict=True)
        }

    def buffer_views(self, buffers: Tensor) -> dict[str, Tensor]:
        """Buffers by name, as views of ``buffers`` (b,)."""
        parts = buffers.split(self._buffer_sizes) if self.buffer_layout else ()
        return {name: part.view(shape) for (name, shape), part in zip(self.buffer_layout, parts, strict=True)}

    def logits(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Logits of n inputs in inference mode: (n, classes), or (n, time, classes)."""
        return self._call(theta, self.buffers.to(theta.dtype), inputs)

    def training_logits(self, theta: Tensor, buffers: Tensor, inputs: Tensor, dropout_seed: int) -> Tensor:
        """Logits in training mode.

        Args:
            theta: (p,).
            buffers: (b,); overwritten with their values after the batch.
            inputs: One training batch.
            dropout_seed: Seed of the dropout masks.
        """
        if not self._trains_otherwise:
            return self._call(theta, buffers, inputs)
        torch.manual_seed(dropout_seed)
        self.module.train()
        try:
            return self._call(theta, buffers, inputs)
        finally:
            self.module.eval()

    def _call(self, theta: Tensor, buffers: Tensor, inputs: Tensor) -> Tensor:
        values = {**self.views(theta), **self.buffer_views(buffers)}
        if inputs.is_floating_point():
            inputs = _laid_out(inputs.to(theta.dtype))
        return functional_call(self.module, values, (inputs,))  # type: ignore[no-any-return]

    def start_epoch(self, buffers: Tensor) -> Tensor:
        """Buffers (b,) at the start of an epoch, where the state carried from batch to batch is zero."""
        carried = getattr(self.module, "carried_state", ())
        if not carried:
            return buffers
        fresh = buffers.clone()
        for name, view in self.buffer_views(fresh).items():
            if name in carried:
                view.zero_()
        return fresh

    def loss(self, theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss with L2, in nats for the cross-entropy; a scalar, twice differentiable in theta."""
        return self.criterion(self.logits(theta, inputs), targets) + self.penalty(theta)

    def penalty(self, theta: Tensor) -> Tensor | float:
        """The L2 term."""
        if self.l2 == 0:
            return 0.0
        kernels = [view for view in self.views(theta).values() if view.dim() > 1]
        return self.l2 * torch.stack([kernel.square().sum() for kernel in kernels]).sum()


def _laid_out(images: Tensor) -> Tensor:
    """Images with channels last in memory: on a CPU, from 28 pixels per side on, convolutions are a seventh faster."""
    if images.device.type != "cpu" or images.dim() != 4 or min(images.shape[2:]) < _CHANNELS_LAST_SIDE:
        return images
    n, c, h, w = images.shape
    pixels = images.permute(0, 2, 3, 1).contiguous()
    # explicit strides, because one channel counts as either layout
    return pixels.as_strided((n, c, h, w), (h * w * c, 1, w * c, c))


def cross_entropy(logits: Tensor, targets: Tensor, reduction: Literal["mean", "sum"] = "mean") -> Tensor:
    """Cross-entropy in nats over examples and, for texts, time (inventory 1.2).

    Args:
        logits: (n, classes), or (n, time, classes).
        targets: (n,), or (n, time).
        reduction: The mean or the sum over all targets.
    """
    return functional.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction=reduction)


def squared_loss(logits: Tensor, targets: Tensor, reduction: Literal["mean", "sum"] = "mean") -> Tensor:
    """Half the squared distance between the logits and the one-hot target; arguments as in ``cross_entropy``."""
    logits = logits.flatten(0, -2)
    one_hot = torch.zeros_like(logits).scatter(1, targets.flatten()[:, None], 1)
    losses = (logits - one_hot).square().sum(dim=1) / 2
    return losses.sum() if reduction == "sum" else losses.mean()


LOSSES: dict[str, Callable[..., Tensor]] = {"cross_entropy": cross_entropy, "squared": squared_loss}
