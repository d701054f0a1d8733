"""A product captured once as a CUDA graph and replayed: one launch instead of hundreds, which dominate tiny nets.

Autograd runs each node on the stream on which it was made, and a capture may not touch the default stream. The
first-order graphs are therefore built on a separate stream, and their derivative is captured there, as
``torch.cuda.make_graphed_callables`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_WARM_UP = 3
"""Products before the capture, during which libraries initialise; PyTorch's own helper runs as many."""


class ProductGraph:
    """A function of one vector on a GPU, captured by the first call and replayed from then on.

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
