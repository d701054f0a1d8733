"""The loss of a module as a function of one vector of its parameters."""

from __future__ import annotations

import copy
import difflib
import fnmatch
import itertools
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sharpest.curvature.differentiation import check_dependence, check_deterministic, check_independent


def selected(names: Iterable[str], patterns: str | Sequence[str]) -> list[str]:
    """The names that fit patterns, in their own order.

    Args:
        names: Names of parameters.
        patterns: One or several, with the wildcards ``*``, ``?`` and ``[...]``; after ``~``, names to leave out. If
            all begin with ``~``, the others are taken.

    Raises:
        ValueError: If a pattern fits no name, or no name is left.
    """
    names, patterns = list(names), [patterns] if isinstance(patterns, str) else list(patterns)
    for pattern in patterns:
        if not fnmatch.filter(names, pattern.removeprefix("~")):
            close = difflib.get_close_matches(pattern.removeprefix("~"), names, n=3, cutoff=0)
            raise ValueError(f"pattern {pattern!r} fits no parameter; there are, for instance, {', '.join(close)}")
    wanted = [pattern for pattern in patterns if not pattern.startswith("~")] or ["*"]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("~")]

    def fits(name: str, some: list[str]) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in some)

    found = [name for name in names if fits(name, wanted) and not fits(name, unwanted)]
    if not found:
        raise ValueError(f"patterns {', '.join(patterns)} leave no parameter")
    return found


class ModuleLoss:
    """``loss(theta, inputs, targets)`` of a module's outputs, for ``sharpest.curvature.hessian.Hessian``.

    It uses a copy of the module in its current mode: neither affects the other, and further training does not change
    the function. Parameters that need no gradient are constants; tied parameters count once, under their first name.

    Args:
        module: The net.
        loss: ``loss(outputs, targets)``, the mean over the examples given.
        params: Patterns of the parameters to differentiate by; see ``selected``. The others are constants.

    Attributes:
        theta: (p,), the trainable parameters, flattened in the order of ``named_parameters``.
        parts: Slices of theta by parameter name.

    Raises:
        ValueError: If the module has no trainable parameters, or a pattern fits none.
    """

    def __init__(
        self, module: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], params: str | Sequence[str] = "*"
    ) -> None:
        if isinstance(module, nn.parallel.DistributedDataParallel):
            module = module.module
        trainable = {name: value.detach() for name, value in module.named_parameters() if value.requires_grad}
        if not trainable:
            raise ValueError("the module has no trainable parameters; set requires_grad on those to differentiate")
        trainable = {name: trainable[name] for name in selected(trainable, params)}
        self._module = copy.deepcopy(module)
        for name, value in self._module.named_parameters():
            value.requires_grad_(name in trainable)
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
        return self.loss(self.outputs(theta, inputs), targets)

    def outputs(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """What the module returns at parameters (p,)."""
        pieces = zip(self._shapes.items(), theta.split(self._sizes), strict=True)
        values = {name: piece.view(shape) for (name, shape), piece in pieces}
        return functional_call(self._module, values, (inputs,))  # type: ignore[no-any-return]

    def slope(self, theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """The gradient (p,) of the mean loss, from an ordinary backward pass of the copy with its parameters set.

        Compiled nets and reentrant checkpoints allow no other.
        """
        values = dict(self._module.named_parameters())
        with torch.no_grad():
            for (name, shape), piece in zip(self._shapes.items(), theta.split(self._sizes), strict=True):
                values[name].copy_(piece.view(shape))
                values[name].grad = None
        with torch.enable_grad():
            self.loss(self._module(inputs), targets).backward()  # type: ignore[no-untyped-call]
        grads = ((values[name].grad, shape) for name, shape in self._shapes.items())
        return torch.cat([theta.new_zeros(shape).flatten() if g is None else g.flatten() for g, shape in grads])

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of the examples, a scalar, as a function of the outputs.

        Raises:
            ValueError: If the loss is not one number.
        """
        mean = self._loss(outputs, targets)
        if mean.numel() != 1:
            raise ValueError(
                f"the loss has the shape {tuple(mean.shape)}; it must be one number, the mean over a batch"
            )
        return mean

    def check(self, module: nn.Module, inputs: Tensor, targets: Tensor, precise: bool = True) -> None:
        """Check that the loss is a function of its arguments.

        Args:
            module: The net itself, which the loss must not reach.
            inputs, targets: A batch.
            precise: Whether to refuse half precision and what has no second derivative.

        Raises:
            NotDeterministicError: If it takes different values; names the likely layer.
            ValueError: If it does not depend on theta alone; see ``check_dependence``.
        """
        check_dependence(lambda theta: self(theta, inputs, targets), self.theta, module, self._module, precise)
        check_independent(self._module)
        check_deterministic(lambda: self(self.theta, inputs, targets), self._module)
