"""The examples of an imported run: batches and other objects of the user's own modules, by name."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sharpest.config.run import ImportedSettings, RunSettings
from sharpest.data.dataset import RunData, Split, training_stream
from sharpest.errors import DataError
from sharpest.results.datasets import IMPORT_RECORD
from sharpest.results.file import open_stored


def named(text: str, what: str) -> Any:
    """The object ``module:name``; modules are searched in the current folder, then on Python's path.

    Args:
        text: The name.
        what: The option that names it, for messages.

    Raises:
        DataError: If it does not exist, or its module cannot be imported; in one line.
    """
    module, _, name = text.partition(":")
    if not module or not name:
        raise DataError(f"{what} {text!r} should be module:name, such as mine:{name or 'build'}")
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    with users_code(f"{what} {text}"):
        imported = import_module(module)
    if not hasattr(imported, name):
        raise DataError(f"{what} {text}: {imported.__file__ or module} has no {name}; correct it")
    return getattr(imported, name)


def source_digest(text: str) -> str:
    """SHA-256 of the source of the module in ``module:name``, which must be imported already."""
    return hashlib.sha256(inspect.getsource(sys.modules[text.partition(":")[0]]).encode()).hexdigest()


class users_code:  # noqa: N801 - a context manager
    """Turns an exception in the user's own code into a one-line ``DataError``.

    Args:
        what: What the code was called for, to begin the message with.
    """

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, DataError):
            reason = " ".join(str(error).split()) or "no message"
            raise DataError(f"{self._what}: fails with {type(error).__name__}: {reason}; correct it") from error


WHAT = "--data"


@dataclass(frozen=True)
class Examples:
    """All examples as one batch.

    Attributes:
        batch: In the form of the user's batches: a tensor of n rows, or tuples, lists and dicts of such tensors.
        counts: Number of examples in each of the user's batches.
    """

    batch: Any
    counts: tuple[int, ...]

    def __len__(self) -> int:
        return sum(self.counts)

    def taken(self, rows: Tensor, dtype: torch.dtype) -> Any:
        """The batch of the given rows (m,), with floating-point tensors cast to ``dtype``."""
        return _changed([self.batch], lambda tensors: _real(tensors[0][rows], dtype))

    def to(self, device: torch.device) -> Examples:
        """These examples on another device."""
        return Examples(_changed([self.batch], lambda tensors: tensors[0].to(device)), self.counts)

    @property
    def digest(self) -> str:
        """SHA-256 of the tensors' types, shapes and values."""
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
    """The data of an imported run: its inputs are row numbers of ``examples``, and its targets are unused zeros."""

    examples: Examples


def read_examples(text: str) -> Examples:
    """All batches that ``module:name`` provides, joined.

    Args:
        text: Name of the batches, or of a function that returns them.

    Raises:
        DataError: If there is no batch, if the tensors of a batch differ in their number of rows, or if two batches
            cannot be joined.
    """
    source = named(text, WHAT)
    with users_code(f"{WHAT} {text}"):
        iterable: Iterable[Any] = source() if callable(source) else source
        batches = list(iterable)
    if not batches:
        raise DataError(f"{WHAT} {text}: is empty; provide at least one batch")
    counts = tuple(_count(batch, f"{WHAT} {text}: batch {number}") for number, batch in enumerate(batches))
    try:
        return Examples(_changed(batches, torch.cat), counts)
    except (RuntimeError, TypeError, KeyError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{WHAT} {text}: batches differ in more than their number of examples ({reason}); pad or crop them"
        ) from error


def _count(batch: Any, where: str) -> int:
    """Number of rows of a batch."""
    rows: set[int] = set()

    def note(tensors: list[Any]) -> Any:
        if not isinstance(tensors[0], Tensor) or tensors[0].dim() == 0:
            kind = "a single number" if isinstance(tensors[0], Tensor) else type(tensors[0]).__name__
            raise DataError(
                f"{where} contains {kind}; provide tensors with one row per example, in tuples, lists or dicts"
            )
        rows.add(len(tensors[0]))
        return tensors[0]

    _changed([batch], note)
    if len(rows) != 1 or 0 in rows:
        raise DataError(f"{where} has tensors with {sorted(rows)} rows; give each tensor one row per example")
    return rows.pop()


def _changed(batches: list[Any], change: Callable[[list[Any]], Any]) -> Any:
    """A batch of the same structure as ``batches``; ``change`` makes each tensor from the corresponding ones."""
    first = batches[0]
    if isinstance(first, Mapping):
        return {name: _changed([batch[name] for batch in batches], change) for name in first}
    if isinstance(first, list | tuple):
        parts = [_changed([batch[index] for batch in batches], change) for index in range(len(first))]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    return change(batches)


def _real(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def load(path: str | Path, settings: RunSettings, device: torch.device) -> RunData:
    """Take the batches from the user's code, and check that they have not changed since the import.

    Args:
        path: The record of the data (layout ``imported``).
        settings: The run.
        device: Where the tensors go.

    Raises:
        DataError: If the batches, or the modules that define net, loss and batches, have changed since the import.
    """
    dataset = settings.dataset
    assert isinstance(dataset, ImportedSettings)
    with open_stored(path, IMPORT_RECORD) as file:
        attributes, digest = file.attributes, file.digest
    remedy = "undo that, or delete this folder and import again"
    for text, recorded in attributes["modules"].items():
        named(text, "imported")
        if source_digest(text) != recorded:
            raise DataError(f"{path}: the module of {text} has changed since the import; {remedy}")
    examples = read_examples(dataset.batches).to(device)
    if examples.digest != attributes["sha256"]:
        raise DataError(f"{path}: the batches of {dataset.batches} have changed since the import; {remedy}")
    return run_data(examples, settings, device, digest)


def run_data(examples: Examples, settings: RunSettings, device: torch.device, digest: str) -> ImportedData:
    """Examples as the data of a run; ``digest`` is the digest of their record."""
    rows = torch.arange(len(examples), device=device)
    train, empty = Split(rows, torch.zeros_like(rows)), Split(rows[:0], rows[:0])
    stream = training_stream(train, settings)
    return ImportedData(train, empty, empty, stream, (), 0, settings.dataset.source, digest, examples)
