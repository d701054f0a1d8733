"""Batches of the user's own code as the examples of a run whose checkpoints were imported."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sharpest.config.datasets import ImportedSettings
from sharpest.config.run import RunSettings
from sharpest.data.dataset import RunData, Split
from sharpest.data.named import named, source_digest, users_code
from sharpest.data.shuffled import training_stream
from sharpest.errors import DataError
from sharpest.results.imported import open_imported

WHAT = "--data"


@dataclass(frozen=True)
class Examples:
    """All examples as one batch.

    Attributes:
        batch: As the user's batches: a tensor, or tuples, lists and dicts of tensors of n rows.
        counts: Examples in each of the user's batches.
    """

    batch: Any
    counts: tuple[int, ...]

    def __len__(self) -> int:
        return sum(self.counts)

    def taken(self, rows: Tensor, dtype: torch.dtype) -> Any:
        """The batch of some rows (m,), its real numbers in a dtype."""
        return _changed([self.batch], lambda tensors: _real(tensors[0][rows], dtype))

    def to(self, device: torch.device) -> Examples:
        """The same on a device."""
        return Examples(_changed([self.batch], lambda tensors: tensors[0].to(device)), self.counts)

    @property
    def digest(self) -> str:
        """SHA-256 of types, shapes and values."""
        digest = hashlib.sha256()

        def update(tensors: list[Tensor]) -> Tensor:
            tensor = tensors[0].detach().cpu().contiguous()
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
            return tensors[0]

        _changed([self.batch], update)
        return digest.hexdigest()


@dataclass(frozen=True)
class ImportedData(RunData):
    """What a run sees of them: its inputs are numbers of rows of ``examples``, and there are no targets of its own."""

    examples: Examples


def read_examples(text: str) -> Examples:
    """All batches of ``module:name``.

    Args:
        text: Names the batches, or a function that gives them.

    Raises:
        DataError: If there is none, one is no batch of tensors with one number of rows, or two do not fit.
    """
    source = named(text, WHAT)
    with users_code(f"{WHAT} {text}"):
        given: Iterable[Any] = source() if callable(source) else source
        batches = list(given)
    if not batches:
        raise DataError(f"{WHAT} {text}: holds no batch; give one or more")
    counts = tuple(_count(batch, f"{WHAT} {text}: batch {number}") for number, batch in enumerate(batches))
    try:
        return Examples(_changed(batches, torch.cat), counts)
    except (RuntimeError, TypeError, KeyError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{WHAT} {text}: batches differ in more than their number of examples ({reason}); pad or crop them"
        ) from error


def _count(batch: Any, where: str) -> int:
    """Rows of a batch."""
    rows: set[int] = set()

    def note(tensors: list[Any]) -> Any:
        if not isinstance(tensors[0], Tensor) or tensors[0].dim() == 0:
            kind = "a single number" if isinstance(tensors[0], Tensor) else type(tensors[0]).__name__
            raise DataError(
                f"{where} holds {kind}; give tensors with a row for each example, in tuples, lists or dicts"
            )
        rows.add(len(tensors[0]))
        return tensors[0]

    _changed([batch], note)
    if len(rows) != 1 or 0 in rows:
        raise DataError(f"{where} has tensors of {sorted(rows)} rows; give each a row for each example")
    return rows.pop()


def _changed(batches: list[Any], change: Callable[[list[Any]], Any]) -> Any:
    """A batch like some, each of its tensors made from theirs."""
    first = batches[0]
    if isinstance(first, Mapping):
        return {name: _changed([batch[name] for batch in batches], change) for name in first}
    if isinstance(first, list | tuple):
        parts = [_changed([batch[place] for batch in batches], change) for place in range(len(first))]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    return change(batches)


def _real(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def load(path: str | Path, settings: RunSettings, device: torch.device) -> RunData:
    """Take the batches from the user's code, and check that they are those of the import.

    Args:
        path: The record of the data (layout ``imported``).
        settings: The run.
        device: Where the tensors go.

    Raises:
        DataError: If the batches, or the modules of net, loss and batches, are others than at the import.
    """
    dataset = settings.dataset
    assert isinstance(dataset, ImportedSettings)
    with open_imported(path) as file:
        attributes, digest = file.attributes, file.digest
    again = "undo that, or delete this folder and import again"
    for text, known in attributes["modules"].items():
        named(text, "imported")
        if source_digest(text) != known:
            raise DataError(f"{path}: the module of {text} was changed since the import; {again}")
    examples = read_examples(dataset.batches).to(device)
    if examples.digest != attributes["sha256"]:
        raise DataError(f"{path}: {dataset.batches} gives other batches than at the import; {again}")
    return run_data(examples, settings, device, digest)


def run_data(examples: Examples, settings: RunSettings, device: torch.device, digest: str) -> ImportedData:
    """Examples as a run sees them; ``digest`` is that of their record."""
    rows = torch.arange(len(examples), device=device)
    train, none = Split(rows, torch.zeros_like(rows)), Split(rows[:0], rows[:0])
    stream = training_stream(train, settings)
    return ImportedData(train, none, none, stream, (), 0, settings.dataset.source, digest, examples)
