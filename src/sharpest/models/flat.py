"""A model as a function of one flat parameter vector."""

import math

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional


class FlatModel:
    """Logits and loss of a module as functions of a vector theta of all its p parameters.

    The module's own parameters stay as they are; theta is cut into views, so that one tensor is trained, differentiated
    and stored. Everything runs in the dtype of theta.

    Args:
        module: In inference mode for measurements.
        l2: Adds l2 * sum(w^2) over kernels (arrays of two or more dimensions), without a factor 1/2 (inventory 1.2).
    """

    def __init__(self, module: nn.Module, l2: float = 0.0) -> None:
        self.module = module
        self.l2 = l2
        parameters = dict(module.named_parameters())
        self.layout = [(name, tuple(value.shape)) for name, value in parameters.items()]
        self._sizes = [math.prod(shape) for _, shape in self.layout]
        self.num_parameters = sum(self._sizes)

    def initial(self) -> Tensor:
        """(p,), the module's own parameters, copied."""
        return torch.cat([value.detach().reshape(-1) for value in self.module.parameters()])

    def views(self, theta: Tensor) -> dict[str, Tensor]:
        """Parameters by name as views of theta (p,)."""
        parts = theta.split(self._sizes)
        return {name: part.view(shape) for (name, shape), part in zip(self.layout, parts, strict=True)}

    def logits(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """(n, classes) for n inputs."""
        return functional_call(self.module, self.views(theta), (inputs.to(theta.dtype),))  # type: ignore[no-any-return]

    def loss(self, theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats, plus L2 where the run has it; a scalar, twice differentiable in theta."""
        return functional.cross_entropy(self.logits(theta, inputs), targets) + self.penalty(theta)

    def penalty(self, theta: Tensor) -> Tensor | float:
        """The L2 term."""
        if self.l2 == 0:
            return 0.0
        kernels = [view for view in self.views(theta).values() if view.dim() > 1]
        return self.l2 * torch.stack([kernel.square().sum() for kernel in kernels]).sum()
