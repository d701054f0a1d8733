"""Products with the Hessian of a mean loss, chunk by chunk, and what it shares with other curvature matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property, partial, reduce
from typing import TYPE_CHECKING, Any, Literal, Self, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sharpest.curvature.central import CentralDifferences
from sharpest.curvature.differentiation import NotTwiceDifferentiableError, differentiate, refuse_undifferentiable
from sharpest.curvature.gpu import ProductGraph, free_bytes, holding_chunk
from sharpest.curvature.module_loss import ModuleLoss, selected
from sharpest.curvature.second_order import SecondOrder

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

Chunk = tuple[Any, Any]
"""Inputs and targets, one target per example; tensors if they are to be split."""
Loss = Callable[[Tensor, Any, Any], Tensor]

Product = Literal["exact", "central", "auto"]

KEPT_BYTES_CPU = 2 * 2**30


class Curvature:
    """A curvature matrix of a mean loss over examples, as an operator on vectors of p values: a base class.

    The examples come in chunks, which may differ in size. Each chunk is weighted by its number of examples, so that the
    result does not depend on the split. Products differentiate a graph of each chunk. The graphs of as many chunks as
    fit in 2 GiB (on a GPU, half of the memory that this process can still take) are built once and kept for all
    products. The other graphs are rebuilt for each product, so that memory does not grow with the number of examples.
    Kept and rebuilt graphs give the same bits.

    Args:
        theta: (p,), the point at which the matrix is taken.
        chunks: (inputs, targets) pairs.
        parts: Slices of theta by parameter name, for ``block``.
        cuda_graphs: Whether products with the kept graphs are captured as a CUDA graph and replayed.

    Raises:
        ValueError: If there are no examples, or CUDA graphs are requested on a CPU.
        ChunkTooLargeError: If the graph of the first chunk does not fit the memory of a GPU.
    """

    def __init__(
        self,
        theta: Tensor,
        chunks: Iterable[Chunk],
        parts: Mapping[str, slice] | None = None,
        cuda_graphs: bool = False,
    ) -> None:
        self._theta = theta.detach().clone().requires_grad_()
        self._chunks = with_examples(chunks)
        self._num_examples = sum(len(targets) for _, targets in self._chunks)
        self._parts = dict(parts or {})
        self._captured = ProductGraph(self._kept_product, self.theta) if cuda_graphs else None
        with self._captured.building() if self._captured else nullcontext():
            self._kept = self._kept_graphs()

    def _graph(self, number: int) -> Any:
        """What a product with the share of a chunk, by its number, differentiates."""
        raise NotImplementedError

    def _applied(self, graph: Any, vector: Tensor, keep: bool) -> Tensor:
        """The product (p,) of one chunk's share with a vector; ``keep`` the graph for further products."""
        raise NotImplementedError

    def _gradient(self, graph: Any) -> Tensor:
        """Gradient (p,) of one chunk's share of the mean loss."""
        raise NotImplementedError

    def _moved(
        self,
        theta: Tensor,
        chunks: Iterable[Chunk],
        whole: Callable[[Tensor], Tensor],
        parts: Mapping[str, slice] | None = None,
    ) -> Self:
        """The same kind of matrix for other parameters and examples; ``whole`` maps those parameters to all p."""
        raise NotImplementedError

    def _check(self, graph: Any) -> None:
        """Refuse what the graph of the first chunk shows to be wrong."""

    def _kept_graphs(self) -> list[Any]:
        """The graphs of the first chunks, of as many as memory allows."""
        size = GraphSize()
        with (
            holding_chunk(len(self._chunks[0][1]), self._theta.device),
            torch.autograd.graph.saved_tensors_hooks(size.add, lambda tensor: tensor),
        ):
            first = self._graph(0)
        self._check(first)
        fitting = min(len(self._chunks), _budget(self._theta.device) // max(size.bytes, 1))
        others = [self._graph(number) for number in range(1, fitting)]
        return [first, *others] if fitting else []

    @property
    def theta(self) -> Tensor:
        """(p,), the point at which the matrix is taken."""
        return self._theta.detach()

    @property
    def num_examples(self) -> int:
        """Number of examples."""
        return self._num_examples

    @property
    def parts(self) -> dict[str, slice]:
        """Slices of theta by parameter name; empty if the parameters have no names."""
        return dict(self._parts)

    @cached_property
    def gradient(self) -> Tensor:
        """Gradient of the mean loss, (p,)."""
        rebuilt = (self._graph(number) for number in range(len(self._kept), len(self._chunks)))
        return sum(map(self._gradient, (*self._kept, *rebuilt)), torch.zeros_like(self.theta))

    def product(self, vector: Tensor) -> Tensor:
        """The product with a vector.

        Args:
            vector: (p,), in the dtype of theta.

        Returns:
            (p,).
        """
        total = (self._captured or self._kept_product)(vector)
        for number in range(len(self._kept), len(self._chunks)):
            total = total + self._applied(self._graph(number), vector, keep=False)
        return total

    @property
    def product_tolerance(self) -> float:
        """The relative error of products to expect; 0 if they are exact."""
        return 0.0

    def product_error(self, vector: Tensor) -> float:
        """A bound on the error of the product with a vector (p,), as a length; 0 if products are exact."""
        return 0.0

    def _kept_product(self, vector: Tensor) -> Tensor:
        if not self._kept:
            return torch.zeros_like(vector)
        return reduce(torch.add, (self._applied(graph, vector, keep=True) for graph in self._kept))

    def block(self, part: slice | str | Sequence[str]) -> Self:
        """The diagonal block of some parameters, such as those of one layer, as an operator on vectors of their number.

        Args:
            part: Their slice of theta, or patterns of their names in ``parts``; see ``selected``.

        Raises:
            ValueError: If no name fits, or the slice is empty or has gaps.

        >>> import torch
        >>> from sharpest.curvature import Hessian, eigenpairs
        >>> net = torch.nn.Linear(2, 1)
        >>> batches = [(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2, 1))]
        >>> hessian = Hessian.of(net, torch.nn.functional.mse_loss, batches)
        >>> hessian.block("bias").product(torch.ones(1)), hessian.block(slice(0, 2)).product(torch.ones(2))
        (tensor([2.]), tensor([1., 4.]))
        """
        theta, places = self.theta, self._places(part)
        sizes = [place.stop - place.start for place in places]

        def whole(block: Tensor) -> Tensor:
            pieces, done = [], 0
            for place, piece in zip(places, block.split(sizes), strict=True):
                pieces += [theta[done : place.start], piece]
                done = place.stop
            return torch.cat([*pieces, theta[done:]])

        return self._moved(torch.cat([theta[place] for place in places]), self._chunks, whole)

    def _places(self, part: slice | str | Sequence[str]) -> list[slice]:
        if isinstance(part, slice):
            start, stop, step = part.indices(len(self._theta))
            if step != 1 or start >= stop:
                raise ValueError(
                    f"{part} of {len(self._theta)} parameters is not a block; take at least one, without gaps"
                )
            return [slice(start, stop)]
        if not self._parts:
            raise ValueError(f"{part} is not among the parameters; they have no names; take a slice")
        return [self._parts[name] for name in selected(self._parts, part)]

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

    def halves(self) -> tuple[Self, Self]:
        """The same matrix on two disjoint halves of the examples; an odd example is left out.

        Raises:
            ValueError: If there is only one example.
        """
        if self._num_examples == 1:
            raise ValueError("one example cannot be halved; take more")
        inputs, targets = (torch.cat(parts) for parts in zip(*self._chunks, strict=True))
        half, size = self._num_examples // 2, len(self._chunks[0][1])
        pieces = [
            zip(inputs[part].split(size), targets[part].split(size), strict=True)
            for part in (slice(0, half), slice(half, 2 * half))
        ]
        first, second = (self._moved(self.theta, chunks, lambda theta: theta, self._parts) for chunks in pieces)
        return first, second


class Hessian(Curvature):
    """The Hessian of the mean loss over examples.

    An exact product is the derivative of the gradient's graph. Where the loss has no second derivative, as with fused
    attention, compiled nets and gradients in half precision, a product is a central difference of two gradients, whose
    error ``product_error`` measures.

    Args:
        loss: ``loss(theta, inputs, targets)``, the mean over the examples given.
        theta, chunks, parts, cuda_graphs: See ``Curvature``.
        product: ``"exact"``, ``"central"``, or ``"auto"``: exact if the loss has second derivatives.

    Attributes:
        method: ``"exact"`` or ``"central"``.
        reason: Why ``"auto"`` took it.

    Raises:
        ValueError: If there are no examples, the loss does not depend on theta, product is unknown, or CUDA graphs are
            requested on a CPU or for central differences.
        NotTwiceDifferentiableError: If exact products are asked of a loss that has only a first derivative; products
            may raise it too.
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
        product: Product = "exact",
    ) -> None:
        if product not in get_args(Product):
            raise ValueError(f"product is {product!r}; give one of {', '.join(get_args(Product))}")
        if product == "central" and cuda_graphs:
            raise ValueError("central differences keep no graphs; leave out cuda_graphs")
        self._loss, self._central = loss, cast("CentralDifferences | None", None)
        self.method, self.reason = ("central" if product == "central" else "exact"), "as requested"
        chunks = list(chunks)
        try:
            super().__init__(theta, chunks, parts, cuda_graphs)
            if product == "auto":
                self.reason = "the loss has second derivatives"
                self.product(torch.zeros_like(self.theta))  # some operations say only now that they have none
        except NotTwiceDifferentiableError as error:
            if product != "auto":
                raise
            self.method, self.reason = "central", str(error)
            super().__init__(theta, chunks, parts)
        if self.method == "central":
            slopes = [partial(self._slope, number) for number in range(len(self._chunks))]
            self._central = CentralDifferences(slopes, self.theta)

    def _check(self, graph: Tensor) -> None:
        refuse_undifferentiable(graph)

    def _kept_graphs(self) -> list[Tensor]:
        return [] if self.method == "central" else super()._kept_graphs()

    @classmethod
    def of(
        cls,
        module: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        batches: Iterable[Chunk],
        cuda_graphs: bool = False,
        params: str | Sequence[str] = "*",
        product: Product = "exact",
    ) -> Hessian:
        """The Hessian of a module's loss by its trainable parameters, flattened in the order of ``named_parameters``.

        The module is used as it is: in its mode, with its frozen and tied parameters. It stays unchanged, and later
        changes to it do not affect the operator.

        Args:
            module: The net, usually after ``eval()``.
            loss: ``loss(outputs, targets)``, the mean over the batch, such as ``torch.nn.functional.cross_entropy``.
            batches: (inputs, targets) pairs.
            cuda_graphs: See the class.
            params: Patterns of the parameters to differentiate by, such as ``"blocks.*.attn.*"`` or ``"~*.bias"``; see
                ``selected``. The others are constants.
            product: See the class.

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
        chunks, function = with_examples(batches), ModuleLoss(module, loss, params)
        reason = None
        try:
            function.check(module, *chunks[0], precise=product != "central")
        except ValueError as error:
            if product != "auto":
                raise
            function.check(module, *chunks[0], precise=False)  # if this is refused, too, precision is not the cause
            product, reason = "central", str(error)
        hessian = cls(function, function.theta, chunks, function.parts, cuda_graphs, product)
        hessian.reason = reason or hessian.reason
        return hessian

    @cached_property
    def gradient(self) -> Tensor:
        return self._central.gradient if self._central else super().gradient

    def product(self, vector: Tensor) -> Tensor:
        return self._central.product(vector) if self._central else super().product(vector)

    @property
    def product_tolerance(self) -> float:
        return self._central.tolerance if self._central else 0.0

    def product_error(self, vector: Tensor) -> float:
        return self._central.error(vector) if self._central else 0.0

    def _graph(self, number: int) -> Tensor:
        """The gradient of a chunk's share of the mean loss, with its graph."""
        with SecondOrder():
            share = self._share(number, self._theta)
        return differentiate(share, self._theta, create_graph=True)

    def _share(self, number: int, theta: Tensor) -> Tensor:
        """A chunk's share of the mean loss."""
        inputs, targets = self._chunks[number]
        share = self._loss(theta, inputs, targets) * (len(targets) / self._num_examples)
        if not share.requires_grad:
            raise ValueError(
                "the loss does not depend on theta: build it from the tensor it is given, without detach()"
            )
        return share

    def _slope(self, number: int, theta: Tensor) -> Tensor:
        """The gradient (p,) of a chunk's share at any parameters, without a graph."""
        if isinstance(self._loss, ModuleLoss):
            inputs, targets = self._chunks[number]
            return self._loss.slope(theta, inputs, targets) * (len(targets) / self._num_examples)
        theta = theta.detach().requires_grad_()
        return torch.autograd.grad(self._share(number, theta), theta)[0]

    def _applied(self, graph: Tensor, vector: Tensor, keep: bool) -> Tensor:
        if not graph.requires_grad:  # the loss is linear in theta
            return torch.zeros_like(vector)
        return differentiate(graph, self._theta, vector, retain_graph=keep)

    def _gradient(self, graph: Tensor) -> Tensor:
        return graph.detach()

    def _moved(
        self,
        theta: Tensor,
        chunks: Iterable[Chunk],
        whole: Callable[[Tensor], Tensor],
        parts: Mapping[str, slice] | None = None,
    ) -> Self:
        def loss(part: Tensor, inputs: Any, targets: Any) -> Tensor:
            return self._loss(whole(part), inputs, targets)

        return type(self)(loss, theta, chunks, parts, product="central" if self._central else "exact")


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


def with_examples(chunks: Iterable[Chunk]) -> list[Chunk]:
    chunks = list(chunks)
    if not all(isinstance(chunk, tuple | list) and len(chunk) == 2 for chunk in chunks):
        raise ValueError("a chunk is not a pair (inputs, targets) with one target per example")
    chunks = [chunk for chunk in chunks if len(chunk[1])]
    if not chunks:
        raise ValueError("a Hessian needs at least one example")
    return chunks


def _budget(device: torch.device) -> int:
    return free_bytes(device) // 2 if device.type == "cuda" else KEPT_BYTES_CPU
