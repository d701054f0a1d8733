"""A GPU: its free memory, the error for a chunk that does not fit, and products captured as CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from sharpest.errors import SharpestError


class ChunkTooLargeError(SharpestError):
    """The graph of one chunk of examples does not fit the memory of a GPU."""


@contextmanager
def holding_chunk(num_examples: int, device: torch.device) -> Iterator[None]:
    """The context in which the graph of a chunk is built.

    Raises:
        ChunkTooLargeError: If the graph does not fit the memory of a GPU.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise ChunkTooLargeError(
            f"a chunk of {num_examples} examples does not fit the memory of the GPU, of which this process can still "
            f"take {free_bytes(device) / 2**30:.2f} GiB: lower chunk_size of hessian, or jobs_per_gpu if jobs share "
            "the GPU; nothing is lost"
        ) from error


def free_bytes(device: torch.device) -> int:
    """Bytes of GPU memory that this process can still take, within its share if it was given one.

    Blocks that PyTorch keeps for reuse count as free; memory of other processes does not.
    """
    free, total = torch.cuda.mem_get_info(device)
    used = torch.cuda.memory_allocated(device)
    reusable = torch.cuda.memory_reserved(device) - used
    share = int(total * torch.cuda.get_per_process_memory_fraction(device))
    return max(0, min(free + reusable, share - used))


_WARM_UP = 3
"""Products before the capture, during which libraries initialise; PyTorch's own helper runs as many."""


class ProductGraph:
    """A function of one vector on a GPU, captured by the first call and replayed from then on.

    One launch replaces hundreds, which dominate tiny nets. Autograd runs each node on the stream on which it was made,
    and a capture may not touch the default stream. The first-order graphs are therefore built on a separate stream, and
    their derivative is captured there, as ``torch.cuda.make_graphed_callables`` does.

    Args:
        function: Maps a vector to a vector, by the same operations on the same memory each time, without host reads.
        like: (p,), sets shape, dtype and device.

    Raises:
        ValueError: If ``like`` is not on a GPU.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], like: Tensor) -> None:
        if not like.is_cuda:
            raise ValueError(f"cuda_graphs need a GPU, theta is on {like.device}; move it there, or leave them off")
        self._function = function
        self._stream = torch.cuda.Stream(like.device)
        self._vector = torch.zeros_like(like)
        self._graph: torch.cuda.CUDAGraph | None = None

    @contextmanager
    def building(self) -> Iterator[None]:
        """The context in which everything that the function differentiates must be built: the capture's stream."""
        current = torch.cuda.current_stream(self._vector.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            yield
        current.wait_stream(self._stream)

    def __call__(self, vector: Tensor) -> Tensor:
        """The value (p,) of the function at a vector (p,)."""
        if self._graph is None:
            self._graph = self._captured()
        self._vector.copy_(vector)
        self._graph.replay()
        return self._image.clone()

    def _captured(self) -> torch.cuda.CUDAGraph:
        with self.building():
            for _ in range(_WARM_UP):
                self._function(self._vector)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            self._image = self._function(self._vector)
        del self._function  # the function refers back to this object
        return graph
