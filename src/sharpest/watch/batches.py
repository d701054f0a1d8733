"""Batches: tensors, and tuples, lists, mappings and dataclasses of them; other objects are passed through unchanged."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from sharpest.curvature.dependence import HALF


def tensors_in(batch: Any) -> Iterator[Tensor]:
    """The tensors of a batch, in order."""
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, Mapping):
        for value in batch.values():
            yield from tensors_in(value)
    elif isinstance(batch, list | tuple):
        for value in batch:
            yield from tensors_in(value)
    elif _is_dataclass(batch):
        yield from tensors_in(_fields(batch))


def changed(batch: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A batch of the same structure, with ``change`` applied to each tensor."""
    if isinstance(batch, Tensor):
        return change(batch)
    if isinstance(batch, Mapping):
        mapping: Any = copy.copy(batch)
        for name, value in batch.items():
            mapping[name] = changed(value, change)
        return mapping
    if isinstance(batch, list | tuple):
        values = [changed(value, change) for value in batch]
        return type(batch)(*values) if hasattr(batch, "_fields") else type(batch)(values)
    if _is_dataclass(batch):
        twin = copy.copy(batch)
        for name, value in _fields(batch).items():
            object.__setattr__(twin, name, changed(value, change))  # also if it is frozen
        return twin
    return batch


def _is_dataclass(batch: Any) -> bool:
    return dataclasses.is_dataclass(batch) and not isinstance(batch, type)


def _fields(batch: Any) -> dict[str, Any]:
    return {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}


def placed(batches: Sequence[Any], module: nn.Module) -> list[Any]:
    """Batches on the device of a net, their floating-point tensors in its dtype."""
    like = next(value for value in module.parameters() if value.is_floating_point())

    def place(value: Tensor) -> Tensor:
        return value.to(like.device, like.dtype if value.is_floating_point() else value.dtype)

    return [changed(batch, place) for batch in batches]


def without_half(value: Tensor) -> Tensor:
    """A half-precision tensor as float32; others unchanged."""
    return value.float() if value.dtype in HALF else value


def in_double(value: Tensor) -> Tensor:
    """A floating-point tensor as float64; others unchanged."""
    return value.double() if value.is_floating_point() else value


def num_examples(batch: Any) -> int | None:
    """The first dimension, if all tensors of a batch share it; else None."""
    lengths = {len(tensor) for tensor in tensors_in(batch) if tensor.dim()}
    return lengths.pop() if len(lengths) == 1 else None


def as_probe(probe: Iterable[Any]) -> list[Any]:
    """The probe as a list of batches.

    Raises:
        ValueError: If there is no batch, if a batch is empty, or if the probe is itself a batch.
    """
    if (
        isinstance(probe, Tensor | Mapping)
        or _is_dataclass(probe)
        or (isinstance(probe, tuple) and all(isinstance(part, Tensor) for part in probe))
    ):
        raise ValueError("probe is a single batch, expected a list of batches; pass [batch]")
    batches = list(probe)
    if not batches:
        raise ValueError("probe is empty; pass a list of one or more batches, such as [next(iter(loader))]")
    if any(num_examples(batch) == 0 for batch in batches):
        raise ValueError("probe has a batch without examples; remove it")
    return batches


def weights_of(batches: Sequence[Any]) -> list[int] | None:
    """Number of examples in each batch; None if it is unknown for one of them."""
    counts = [num_examples(batch) for batch in batches]
    return None if None in counts else [count for count in counts if count is not None]


class MiniBatches:
    """Training mini-batches, some for each measurement; after the last one they start again.

    Args:
        source: A loader, or an iterator used for nothing else; None = no mini-batches.
    """

    def __init__(self, source: Iterable[Any] | None) -> None:
        self._source = source
        self._open: Iterator[Any] | None = None

    def next(self, count: int) -> list[Any]:
        """The next ``count`` batches; fewer if an iterator has ended."""
        assert self._source is not None
        batches: list[Any] = []
        for _ in range(2):
            self._open = iter(self._source) if self._open is None else self._open
            for batch in self._open:
                batches.append(batch)
                if len(batches) == count:
                    return batches
            self._open = None
        return batches
