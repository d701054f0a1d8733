"""Exact Hessian-vector products of a mean loss, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from sharpest.curvature.second_order import SecondOrder
from sharpest.errors import SharpestError

Chunk = tuple[Tensor, Tensor]
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

KEPT_BYTES_CPU = 2 * 2**30


class NotTwiceDifferentiableError(SharpestError):
    """The loss has no second derivative that autograd could compute."""


class Hessian:
    """The Hessian of the mean loss over examples, as an operator on vectors of p values.

    The examples come in chunks, which may differ in size: each is weighted by its number of examples, so that the
    result does not depend on how they are cut. A product is the derivative of the gradient's graph. The graphs of as
    many chunks as fit 2 GiB (on a GPU, half of its free memory) are built once and kept for all products; those of the
    others are built anew for each, so that memory does not grow with the number of examples. The bits are the same.

    Args:
        loss: ``loss(theta, inputs, targets)``, the mean over the examples given; twice differentiable.
        theta: (p,), where the Hessian is taken.
        chunks: (inputs, targets) pairs.

    Raises:
        ValueError: If there is no example, or the loss does not depend on theta.
        NotTwiceDifferentiableError: If the loss has a first derivative only; products may raise it, too.

    Source: inventory 1.4; Pearlmutter (1994).
    """

    def __init__(self, loss: Loss, theta: Tensor, chunks: Sequence[Chunk]) -> None:
        self._loss = loss
        self._theta = theta.detach().clone().requires_grad_()
        self._chunks = [chunk for chunk in chunks if len(chunk[1])]
        self._num_examples = sum(len(targets) for _, targets in self._chunks)
        if self._num_examples == 0:
            raise ValueError("a Hessian needs at least one example")
        size = GraphSize()
        with torch.autograd.graph.saved_tensors_hooks(size.add, lambda tensor: tensor):
            first = self._chunk_gradient(self._chunks[0])
        _refuse_undifferentiable(first)
        fitting = min(len(self._chunks), _budget(theta.device) // max(size.bytes, 1))
        others = [self._chunk_gradient(chunk) for chunk in self._chunks[1:fitting]]
        self._kept = [first, *others] if fitting else []

    @property
    def theta(self) -> Tensor:
        """(p,), where it is taken."""
        return self._theta.detach()

    @cached_property
    def gradient(self) -> Tensor:
        """Gradient of the mean loss, (p,)."""
        rebuilt = (self._chunk_gradient(chunk).detach() for chunk in self._chunks[len(self._kept) :])
        return sum((*(gradient.detach() for gradient in self._kept), *rebuilt), torch.zeros_like(self.theta))

    def product(self, vector: Tensor) -> Tensor:
        """H v.

        Args:
            vector: (p,), in the dtype of theta.

        Returns:
            (p,).
        """
        total = torch.zeros_like(vector)
        for gradient in self._kept:
            total += self._derivative(gradient, vector, keep=True)
        for chunk in self._chunks[len(self._kept) :]:
            total += self._derivative(self._chunk_gradient(chunk), vector, keep=False)
        return total

    def block(self, part: slice) -> Hessian:
        """The diagonal block of some parameters, such as those of one layer: an operator on vectors of their number."""
        theta = self.theta
        before, after = theta[: part.start], theta[part.stop :]
        return Hessian(
            lambda block, inputs, targets: self._loss(torch.cat([before, block, after]), inputs, targets),
            theta[part],
            self._chunks,
        )

    def halves(self) -> tuple[Hessian, Hessian]:
        """The Hessians of two disjoint halves of the examples; of an odd number, one is left out.

        Raises:
            ValueError: If there is one example only.
        """
        if self._num_examples == 1:
            raise ValueError("one example cannot be halved; take more")
        inputs, targets = (torch.cat(parts) for parts in zip(*self._chunks, strict=True))
        half, size = self._num_examples // 2, len(self._chunks[0][1])

        def of(part: slice) -> Hessian:
            chunks = zip(inputs[part].split(size), targets[part].split(size), strict=True)
            return Hessian(self._loss, self.theta, list(chunks))

        return of(slice(0, half)), of(slice(half, 2 * half))

    def _chunk_gradient(self, chunk: Chunk) -> Tensor:
        """Gradient of one chunk's share of the mean loss, with its graph."""
        inputs, targets = chunk
        with SecondOrder():
            share = self._loss(self._theta, inputs, targets) * (len(targets) / self._num_examples)
        if not share.requires_grad:
            raise ValueError(
                "the loss does not depend on theta: build it from the tensor it is given, without detach()"
            )
        return _differentiate(share, self._theta, create_graph=True)

    def _derivative(self, gradient: Tensor, vector: Tensor, keep: bool) -> Tensor:
        if not gradient.requires_grad:  # the loss is linear in theta
            return torch.zeros_like(vector)
        return _differentiate(gradient, self._theta, vector, retain_graph=keep)


class GraphSize:
    """Bytes that a graph keeps, each block of memory counted once: ``saved_tensors_hooks(size.add, ...)``."""

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}

    def add(self, tensor: Tensor) -> Tensor:
        """Count what is kept, and keep it."""
        storage = tensor.untyped_storage()
        self._blocks[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()

    @property
    def bytes(self) -> int:
        """Their sum."""
        return sum(self._blocks.values())


def _budget(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else KEPT_BYTES_CPU


def _refuse_undifferentiable(gradient: Tensor) -> None:
    """Find the operations that autograd leaves out of a derivative without a word: those differentiable only once."""
    seen, pending = set(), [gradient.grad_fn]
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        if node.name() in ("torch::autograd::Error", "torch::autograd::NotImplemented"):
            raise NotTwiceDifferentiableError(
                "the loss is not twice differentiable: one of its operations has a first derivative only; replace it"
            )
        seen.add(node)
        pending += [following for following, _ in node.next_functions]


def _differentiate(
    output: Tensor, theta: Tensor, vector: Tensor | None = None, create_graph: bool = False, retain_graph: bool = False
) -> Tensor:
    try:
        return torch.autograd.grad(
            output,
            theta,
            vector,
            retain_graph=create_graph or retain_graph,
            create_graph=create_graph,
            materialize_grads=True,
        )[0]
    except RuntimeError as error:
        if "not implemented" not in str(error):
            raise
        raise NotTwiceDifferentiableError(
            f"the loss is not twice differentiable ({str(error).splitlines()[0]}); "
            "replace that operation, cuDNN's RNN for instance by cells of one's own"
        ) from error
