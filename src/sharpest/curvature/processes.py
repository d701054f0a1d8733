"""One curvature matrix of examples that are spread over processes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch import distributed as dist

from sharpest.curvature.hessian import Curvature
from sharpest.errors import SharpestError


class ProcessError(SharpestError):
    """The processes of a group do not hold the same net, or one no longer answers.

    >>> import torch
    >>> from sharpest.curvature import Distributed, Hessian, ProcessError
    >>> net = torch.nn.Linear(1, 1)
    >>> hessian = Hessian.of(net, torch.nn.functional.mse_loss, [(torch.ones(1, 1), torch.ones(1, 1))])
    >>> try:
    ...     Distributed(hessian)
    ... except ProcessError as error:
    ...     print(str(error).partition(";")[0])
    there is no group of processes
    """


class Distributed:
    """The curvature matrix of all examples, from one of each process's own: an operator that every process calls alike.

    A product is the mean of the products of all processes, weighted by their numbers of examples. All processes get the
    same bits, hence all solvers take the same steps and end together. Each process holds the whole basis of the
    eigensolver.

    Args:
        curvature: The matrix of the process's own examples, such as ``Hessian.of(net, loss, shard)``.
        group: Processes; by default all.
        timeout: Seconds to wait for the others in each product.

    Raises:
        ProcessError: If ``torch.distributed`` has not been started, parameters differ between processes, or a process
            ends or does not answer in time; names it where the backend can tell.

    >>> import tempfile, torch
    >>> from torch import distributed as dist
    >>> from sharpest.curvature import Distributed, Hessian, eigenpairs
    >>> file = tempfile.NamedTemporaryFile()
    >>> dist.init_process_group("gloo", init_method=f"file://{file.name}", rank=0, world_size=1)
    >>> net = torch.nn.Linear(1, 1, bias=False)
    >>> shard = [(torch.tensor([[2.0]]), torch.zeros(1, 1))]
    >>> hessian = Distributed(Hessian.of(net, torch.nn.functional.mse_loss, shard))
    >>> eigenpairs(hessian, k=1).eigenvalues.round(3).tolist()
    [8.0]
    >>> dist.destroy_process_group()
    """

    _sums: ClassVar[int] = 0
    """Sums of this process so far, over all operators, since blocks and wholes take turns."""

    def __init__(self, curvature: Curvature, group: dist.ProcessGroup | None = None, timeout: float = 300) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise ProcessError("there is no group of processes; call torch.distributed.init_process_group first")
        self._curvature, self._group, self._timeout = curvature, group, timeout
        self._rank, self._size = dist.get_rank(group), dist.get_world_size(group)
        self._store = dist.distributed_c10d.PrefixStore("sharpest", dist.distributed_c10d._get_default_store())
        self._store.set(f"{self._rank}", f"{Distributed._sums}")
        content = curvature.theta.cpu().contiguous().view(torch.uint8).numpy().tobytes()
        own = (hashlib.sha256(content).hexdigest(), curvature.num_examples)
        held: list[Any] = [None] * self._size
        dist.all_gather_object(held, own, group=group)
        different = [str(rank) for rank, (theta, _) in enumerate(held) if theta != held[0][0]]
        if different:
            raise ProcessError(
                f"the parameters of process {', '.join(different)} differ from those of process 0; broadcast them first"
            )
        self._share = curvature.num_examples / sum(count for _, count in held)

    @property
    def theta(self) -> Tensor:
        """(p,), the point at which the matrix is taken."""
        return self._curvature.theta

    @property
    def parts(self) -> dict[str, slice]:
        """Slices of theta by parameter name; empty if the parameters have no names."""
        return self._curvature.parts

    @cached_property
    def gradient(self) -> Tensor:
        """Gradient of the mean loss over the examples of all processes, (p,)."""
        return self._summed(self._curvature.gradient * self._share)

    def product(self, vector: Tensor) -> Tensor:
        """The product with a vector (p,), the same on all processes; (p,)."""
        return self._summed(self._curvature.product(vector) * self._share)

    def block(self, part: slice | str | Sequence[str]) -> Distributed:
        """The diagonal block of some parameters; see ``Curvature.block``."""
        return Distributed(self._curvature.block(part), self._group, self._timeout)

    @cached_property
    def product_tolerance(self) -> float:
        """The weighted mean over processes of the relative errors of products; 0 if all are exact."""
        return self._summed_number(self._curvature.product_tolerance)

    def product_error(self, vector: Tensor) -> float:
        """A bound on the error of a product; see ``Hessian``."""
        return self._summed_number(self._curvature.product_error(vector))

    def _summed_number(self, number: float) -> float:
        return float(self._summed(self.theta.new_full((1,), number * self._share, dtype=torch.float64)))

    def _summed(self, values: Tensor) -> Tensor:
        values = values.contiguous()
        Distributed._sums += 1
        self._store.set(f"{self._rank}", f"{Distributed._sums}")
        try:
            work = dist.all_reduce(values, group=self._group, async_op=True)
            work.wait(timedelta(seconds=self._timeout))
        except RuntimeError as error:
            raise ProcessError(self._missing(error)) from error
        return values

    def _missing(self, error: RuntimeError) -> str:
        """Which processes did not come as far as this one; the error of the backend if all did."""
        number, reached = Distributed._sums, [int(self._store.get(f"{rank}")) for rank in range(self._size)]
        late = ", ".join(str(rank) for rank, count in enumerate(reached) if count < number)
        if late:
            return f"process {late} of {self._size} did not take part in sum {number}; see why it ended or waits"
        return f"a process ended during sum {number}: {str(error).strip().splitlines()[0]}"
