"""A product captured once as a CUDA graph and replayed: one launch instead of hundreds, which tiny nets wait for.

Autograd runs each node on the stream on which it was made, and a capture may not touch the default one. The first-order
graphs are therefore built on a stream of their own, and their derivative is captured there, as
``torch.cuda.make_graphed_callables`` does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_WARM_UP = 3
"""Products before the capture, in which libraries set themselves up; as many as PyTorch's own helper takes."""


class ProductGraph:
    """A function of one vector, on a GPU; its captured form replaces it once it was called.

    Args:
        function: Of a vector to a vector, the same operations on the same memory each time, without a read by the host.
        like: (p,), gives shape, dtype and device.

    Raises:
        ValueError: If that is not on a GPU.
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
        """Where all that the function differentiates has to be built: on the stream of the capture."""
        current = torch.cuda.current_stream(self._vector.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            yield
        current.wait_stream(self._stream)

    def __call__(self, vector: Tensor) -> Tensor:
        """Its value at a vector (p,), (p,)."""
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
        del self._function  # it holds what holds this
        return graph
