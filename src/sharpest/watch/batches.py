"""Batches of any kind: tensors, and tuples, lists and mappings of them; anything else is handed on as it is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)


def tensors_in(batch: Any) -> Iterator[Tensor]:
    """Those of a batch, in its order."""
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, Mapping):
        for value in batch.values():
            yield from tensors_in(value)
    elif isinstance(batch, list | tuple):
        for value in batch:
            yield from tensors_in(value)


def changed(batch: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A batch of the same kind with other tensors."""
    if isinstance(batch, Tensor):
        return change(batch)
    if isinstance(batch, Mapping):
        other: Any = copy.copy(batch)
        for name, value in batch.items():
            other[name] = changed(value, change)
        return other
    if isinstance(batch, list | tuple):
        values = [changed(value, change) for value in batch]
        return type(batch)(*values) if hasattr(batch, "_fields") else type(batch)(values)
    return batch


def without_half(value: Tensor) -> Tensor:
    """In float32 where it is of half precision."""
    return value.float() if value.dtype in HALF else value


def in_double(value: Tensor) -> Tensor:
    """In float64 where it is a real number."""
    return value.double() if value.is_floating_point() else value


def num_examples(batch: Any) -> int | None:
    """The first dimension that all tensors of a batch share; None where they share none."""
    lengths = {len(tensor) for tensor in tensors_in(batch) if tensor.dim()}
    return lengths.pop() if len(lengths) == 1 else None


def as_probe(probe: Iterable[Any]) -> list[Any]:
    """A fixed list of batches.

    Raises:
        ValueError: If it holds none, or is one itself.
    """
    if isinstance(probe, Tensor | Mapping) or (
        isinstance(probe, tuple) and all(isinstance(part, Tensor) for part in probe)
    ):
        raise ValueError("probe is one batch, and has to be a list of them; give [batch]")
    batches = list(probe)
    if not batches:
        raise ValueError("probe holds no batch; give a list of one or more, such as [next(iter(loader))]")
    if any(num_examples(batch) == 0 for batch in batches):
        raise ValueError("probe holds a batch without examples; leave it out")
    return batches


def weights_of(batches: Sequence[Any]) -> list[int] | None:
    """Examples in each batch; None where one does not tell."""
    counts = [num_examples(batch) for batch in batches]
    return None if None in counts else [count for count in counts if count is not None]


class MiniBatches:
    """Mini-batches of training, some at each measurement; from the start again when they end.

    Args:
        source: A loader, or an iterator of the caller's for this alone; None = no mini-batches.
    """

    def __init__(self, source: Iterable[Any] | None) -> None:
        self._source = source
        self._open: Iterator[Any] | None = None

    def next(self, count: int) -> list[Any]:
        """The next ones; fewer where an iterator has ended."""
        assert self._source is not None
        taken: list[Any] = []
        for _ in range(2):
            self._open = iter(self._source) if self._open is None else self._open
            for batch in self._open:
                taken.append(batch)
                if len(taken) == count:
                    return taken
            self._open = None
        return taken
