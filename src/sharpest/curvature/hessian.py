"""Exact Hessian-vector products of a mean loss, chunk by chunk."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Chunk = tuple[Tensor, Tensor]


class Hessian:
    """The Hessian of the mean loss over examples, as an operator on vectors of p values.

    The examples come in chunks, which may differ in size: each is weighted by its number of examples, so that the
    result does not depend on how they are cut. With a single chunk the first-order graph is kept for all products
    (2.1 gradients a product instead of 3.2); with more it would not fit, and is built anew.

    Args:
        loss: ``loss(theta, inputs, targets)``, the mean over the examples given; twice differentiable.
        theta: (p,), where the Hessian is taken.
        chunks: (inputs, targets) pairs.

    Raises:
        ValueError: If there is no example.

    Source: inventory 1.4; Pearlmutter (1994).
    """

    def __init__(
        self, loss: Callable[[Tensor, Tensor, Tensor], Tensor], theta: Tensor, chunks: Sequence[Chunk]
    ) -> None:
        self._loss = loss
        self._theta = theta.detach().clone().requires_grad_()
        self._chunks = chunks
        self._num_examples = sum(len(targets) for _, targets in chunks)
        if self._num_examples == 0:
            raise ValueError("a Hessian needs at least one example")
        self._kept = self._chunk_gradient(chunks[0]) if len(chunks) == 1 else None

    @property
    def theta(self) -> Tensor:
        """(p,), where it is taken."""
        return self._theta.detach()

    def _chunk_gradient(self, chunk: Chunk) -> Tensor:
        """Gradient of one chunk's share of the mean loss, with its graph."""
        inputs, targets = chunk
        share = self._loss(self._theta, inputs, targets) * (len(targets) / self._num_examples)
        return torch.autograd.grad(share, self._theta, create_graph=True, materialize_grads=True)[0]

    def product(self, vector: Tensor) -> Tensor:
        """H v.

        Args:
            vector: (p,), in the dtype of theta.

        Returns:
            (p,).
        """
        if self._kept is not None:
            return self._derivative(self._kept, vector)
        total = torch.zeros_like(vector)
        for chunk in self._chunks:
            total += self._derivative(self._chunk_gradient(chunk), vector)
        return total

    def _derivative(self, gradient: Tensor, vector: Tensor) -> Tensor:
        if not gradient.requires_grad:  # the loss is linear in theta
            return torch.zeros_like(vector)
        keep = self._kept is not None
        return torch.autograd.grad(gradient, self._theta, vector, retain_graph=keep, materialize_grads=True)[0]
