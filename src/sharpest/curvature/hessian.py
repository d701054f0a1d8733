"""Exact Hessian-vector products of a mean loss, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sharpest.curvature.differentiation import differentiate, refuse_undifferentiable
from sharpest.curvature.gpu import ProductGraph, free_bytes, holding_chunk
from sharpest.curvature.module_loss import ModuleLoss
from sharpest.curvature.second_order import SecondOrder

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

Chunk = tuple[Any, Any]
"""Inputs and targets, one target per example; tensors if they are to be split."""
Loss = Callable[[Tensor, Any, Any], Tensor]

KEPT_BYTES_CPU = 2 * 2**30


class Hessian:
    """The Hessian of the mean loss over examples, as an operator on vectors of p values.

    The examples come in chunks, which may differ in size. Each chunk is weighted by its number of examples, so that the
    result does not depend on the split. A product is the derivative of the gradient's graph. The graphs of as many
    chunks as fit in 2 GiB (on a GPU, half of the memory that this process can still take) are built once and kept for
    all products. The other graphs are rebuilt for each product, so that memory does not grow with the number of
    examples. Kept and rebuilt graphs give the same bits.

    Args:
        loss: ``loss(theta, inputs, targets)``, the mean over the examples given; twice differentiable.
        theta: (p,), the point at which the Hessian is taken.
        chunks: (inputs, targets) pairs.
        parts: Slices of theta by parameter name, for ``block``.
        cuda_graphs: Whether products with the kept graphs are captured as a CUDA graph and replayed.

    Raises:
        ValueError: If there are no examples, the loss does not depend on theta, or CUDA graphs are requested on a CPU.
        NotTwiceDifferentiableError: If the loss has only a first derivative; products may raise it too.
        ChunkTooLargeError: If the graph of the first chunk does not fit the memory of a GPU.

    Source: inventory 1.4; Pearlmutter (1994).

    >>> import torch
    >>> from sharpest.curvature import Hessian
    >>> def loss(theta, inputs, targets):
    ...     return (inputs @ theta - targets).square().mean()
    >>> chunks = [(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2)), (torch.tensor([[3.0, 0.0]]), torch.ones(1))]
    >>> Hessian(loss, torch.zeros(2), chunks).product(torch.tensor([3.0, 3.0]))
    tensor([20.,  8.])
    """

    def __init__(
        self,
        loss: Loss,
        theta: Tensor,
        chunks: Iterable[Chunk],
        parts: Mapping[str, slice] | None = None,
        cuda_graphs: bool = False,
    ) -> None:
        self._loss = loss
        self._theta = theta.detach().clone().requires_grad_()
        self._chunks = _with_examples(chunks)
        self._num_examples = sum(len(targets) for _, targets in self._chunks)
        self._parts = dict(parts or {})
        self._captured = ProductGraph(self._kept_product, self.theta) if cuda_graphs else None
        with self._captured.building() if self._captured else nullcontext():
            self._kept = self._kept_gradients()

    def _kept_gradients(self) -> list[Tensor]:
        """The gradients of the first chunks with their graphs, for as many chunks as memory allows."""
        size = GraphSize()
        with (
            holding_chunk(len(self._chunks[0][1]), self._theta.device),
            torch.autograd.graph.saved_tensors_hooks(size.add, lambda tensor: tensor),
        ):
            first = self._chunk_gradient(self._chunks[0])
        refuse_undifferentiable(first)
        fitting = min(len(self._chunks), _budget(self._theta.device) // max(size.bytes, 1))
        others = [self._chunk_gradient(chunk) for chunk in self._chunks[1:fitting]]
        return [first, *others] if fitting else []

    @classmethod
    def of(
        cls,
        module: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        batches: Iterable[Chunk],
        cuda_graphs: bool = False,
    ) -> Hessian:
        """The Hessian of a module's loss by its trainable parameters, flattened in the order of ``named_parameters``.

        The module is used as it is: in its mode, with its frozen and tied parameters. It stays unchanged, and later
        changes to it do not affect the operator.

        Args:
            module: The net, usually after ``eval()``.
            loss: ``loss(outputs, targets)``, the mean over the batch, such as ``torch.nn.functional.cross_entropy``.
            batches: (inputs, targets) pairs.
            cuda_graphs: See the class.

        Raises:
            NotDeterministicError: If the loss of an example depends on more than the example and the parameters, as
                with dropout or batch normalisation in training mode.
            ValueError: If there are no examples or no trainable parameters, the loss is not one number, or it does not
                depend on the module's parameters alone, as with a loss or a forward that uses the module itself.
            NotTwiceDifferentiableError: See the class.

        >>> import torch
        >>> from sharpest.curvature import Hessian
        >>> net = torch.nn.Linear(2, 1, bias=False)
        >>> batches = [(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2, 1))]
        >>> hessian = Hessian.of(net, torch.nn.functional.mse_loss, batches)
        >>> hessian.product(torch.ones(2))
        tensor([1., 4.])
        """
        chunks, function = _with_examples(batches), ModuleLoss(module, loss)
        function.check(module, *chunks[0])
        return cls(function, function.theta, chunks, function.parts, cuda_graphs)

    @property
    def theta(self) -> Tensor:
        """(p,), the point at which the Hessian is taken."""
        return self._theta.detach()

    @property
    def parts(self) -> dict[str, slice]:
        """Slices of theta by parameter name; empty if the parameters have no names."""
        return dict(self._parts)

    @cached_property
    def gradient(self) -> Tensor:
        """Gradient of the mean loss, (p,)."""
        rebuilt = (self._chunk_gradient(chunk).detach() for chunk in self._chunks[len(self._kept) :])
        return sum((*(gradient.detach() for gradient in self._kept), *rebuilt), torch.zeros_like(self.theta))

    def product(self, vector: Tensor) -> Tensor:
        """The product H v.

        Args:
            vector: (p,), in the dtype of theta.

        Returns:
            (p,).
        """
        total = (self._captured or self._kept_product)(vector)
        for chunk in self._chunks[len(self._kept) :]:
            total = total + self._derivative(self._chunk_gradient(chunk), vector, keep=False)
        return total

    def _kept_product(self, vector: Tensor) -> Tensor:
        if not self._kept:
            return torch.zeros_like(vector)
        return reduce(torch.add, (self._derivative(gradient, vector, keep=True) for gradient in self._kept))

    def block(self, part: slice | str) -> Hessian:
        """The diagonal block of some parameters, such as those of one layer, as an operator on vectors of their number.

        Args:
            part: Their slice of theta, or a name in ``parts``.

        Raises:
            ValueError: If the name is unknown, or the slice is empty or has gaps.

        >>> import torch
        >>> from sharpest.curvature import Hessian, eigenpairs
        >>> net = torch.nn.Linear(2, 1)
        >>> batches = [(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2, 1))]
        >>> hessian = Hessian.of(net, torch.nn.functional.mse_loss, batches)
        >>> hessian.block("bias").product(torch.ones(1)), hessian.block(slice(0, 2)).product(torch.ones(2))
        (tensor([2.]), tensor([1., 4.]))
        """
        theta = self.theta
        start, stop, step = self._place(part).indices(len(theta))
        if step != 1 or start >= stop:
            raise ValueError(f"{part} of {len(theta)} parameters is not a block; take at least one, without gaps")
        before, after = theta[:start], theta[stop:]
        return Hessian(
            lambda block, inputs, targets: self._loss(torch.cat([before, block, after]), inputs, targets),
            theta[start:stop],
            self._chunks,
        )

    def _place(self, part: slice | str) -> slice:
        if isinstance(part, slice):
            return part
        if part not in self._parts:
            names = f"those are {', '.join(self._parts)}" if self._parts else "they have no names; take a slice"
            raise ValueError(f"{part} is not among the parameters; {names}")
        return self._parts[part]

    def as_scipy(self) -> LinearOperator:
        """The same operator for SciPy: (p, p), float64 if theta is float64, else float32.

        >>> import torch
        >>> from scipy.sparse.linalg import eigsh
        >>> from sharpest.curvature import Hessian
        >>> net = torch.nn.Linear(3, 1, bias=False)
        >>> batches = [(torch.diag(torch.tensor([1.0, 2.0, 3.0])), torch.zeros(3, 1))]
        >>> operator = Hessian.of(net, torch.nn.functional.mse_loss, batches).as_scipy()
        >>> operator.shape, operator.dtype
        ((3, 3), dtype('float32'))
        >>> eigsh(operator, k=1, return_eigenvectors=False).round(3).tolist()
        [6.0]
        """
        from scipy.sparse.linalg import LinearOperator

        size, dtype = len(self._theta), np.float64 if self._theta.dtype == torch.float64 else np.float32

        def product(vector: NDArray[Any]) -> NDArray[Any]:
            values = torch.from_numpy(np.array(vector, dtype, order="C").reshape(size))
            return self.product(values.to(self.theta)).to(values).numpy()

        return LinearOperator((size, size), matvec=product, rmatvec=product, dtype=dtype)

    def halves(self) -> tuple[Hessian, Hessian]:
        """The Hessians of two disjoint halves of the examples; an odd example is left out.

        Raises:
            ValueError: If there is only one example.
        """
        if self._num_examples == 1:
            raise ValueError("one example cannot be halved; take more")
        inputs, targets = (torch.cat(parts) for parts in zip(*self._chunks, strict=True))
        half, size = self._num_examples // 2, len(self._chunks[0][1])

        def of(part: slice) -> Hessian:
            chunks = zip(inputs[part].split(size), targets[part].split(size), strict=True)
            return Hessian(self._loss, self.theta, chunks, self._parts)

        return of(slice(0, half)), of(slice(half, 2 * half))

    def _chunk_gradient(self, chunk: Chunk) -> Tensor:
        """The gradient of one chunk's share of the mean loss, with its graph."""
        inputs, targets = chunk
        with SecondOrder():
            share = self._loss(self._theta, inputs, targets) * (len(targets) / self._num_examples)
        if not share.requires_grad:
            raise ValueError(
                "the loss does not depend on theta: build it from the tensor it is given, without detach()"
            )
        return differentiate(share, self._theta, create_graph=True)

    def _derivative(self, gradient: Tensor, vector: Tensor, keep: bool) -> Tensor:
        if not gradient.requires_grad:  # the loss is linear in theta
            return torch.zeros_like(vector)
        return differentiate(gradient, self._theta, vector, retain_graph=keep)


class GraphSize:
    """Counts the bytes that a graph keeps, each block of memory once: ``saved_tensors_hooks(size.add, ...)``."""

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}

    def add(self, tensor: Tensor) -> Tensor:
        """Count a saved tensor, and return it without its graph."""
        storage = tensor.untyped_storage()
        self._blocks[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()

    @property
    def bytes(self) -> int:
        """Total size of the blocks."""
        return sum(self._blocks.values())


def _with_examples(chunks: Iterable[Chunk]) -> list[Chunk]:
    chunks = list(chunks)
    if not all(isinstance(chunk, tuple | list) and len(chunk) == 2 for chunk in chunks):
        raise ValueError("a chunk is not a pair (inputs, targets) with one target per example")
    chunks = [chunk for chunk in chunks if len(chunk[1])]
    if not chunks:
        raise ValueError("a Hessian needs at least one example")
    return chunks


def _budget(device: torch.device) -> int:
    return free_bytes(device) // 2 if device.type == "cuda" else KEPT_BYTES_CPU
