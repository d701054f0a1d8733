"""Write and read HDF5 files of a known layout."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sharpest.errors import StoreError
from sharpest.results.layout import Layout, check_shapes, check_structure
from sharpest.results.whole import (
    ROW_CHECKSUMS,
    USER_BLOCK,
    has_long_rows,
    remedy,
    row_checksums,
    seal,
    verify,
    written_whole,
)


def read_parts(path: Path, layout: Layout, names: Iterable[str], selection: Any) -> dict[str, NDArray[Any]]:
    """One row of some arrays, or all rows (``...``), of a file that was verified before.

    Raises:
        StoreError: If they cannot be read, or a checksum differs.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            stored = StoredFile(part_of(file, layout), "")
            return {name: stored.read(name, selection) for name in names}
    # h5py raises these if the file is gone or was replaced
    except (OSError, RuntimeError, KeyError) as error:
        raise StoreError(f"{path}: has changed since it was opened ({error}); open it again") from error


def attributes_of(path: str | Path, layout: Layout) -> dict[str, Any]:
    """The attributes of a file, which is verified; its arrays are not read.

    Raises:
        StoreError: See ``open_stored``.
    """
    with open_stored(path, layout) as file:
        return file.attributes


TOGETHER = "together"
"""The layout of a combined file, which holds several layouts, each in a group of its name."""


def part_of(file: h5py.File, layout: Layout) -> h5py.Group:
    """The group that holds a layout: the root of a file, or a group of a combined file.

    Raises:
        StoreError: If a combined file does not hold the layout.
    """
    if file.attrs.get("layout") != TOGETHER:
        return file
    if layout.name not in file:
        raise StoreError(f"{file.filename}: holds {', '.join(file)}, but not {layout.name}; watch that quantity too")
    return file[layout.name]


class StoredFile:
    """An open results file, or a part of a combined one: arrays by name, decoded attributes, digest of its content."""

    def __init__(self, file: h5py.Group, digest: str) -> None:
        self._file, self.digest = file, digest
        self.attributes: dict[str, Any] = {name: _decode(value) for name, value in file.attrs.items()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.read(name, ...)

    def row(self, name: str, index: int) -> NDArray[Any]:
        """One row of an array, without reading the others."""
        return self.read(name, index)

    def read(self, name: str, selection: Any) -> NDArray[Any]:
        """One row of an array by its index, or all rows (``...``)."""
        path, array = self._file.file.filename, self._file[name]
        try:
            values: NDArray[Any] = array[selection]
        except OSError as error:
            raise StoreError(f"{path}: {name} cannot be read ({error}); {remedy(path)}") from error
        if ROW_CHECKSUMS in array.attrs:
            rows = values if selection is ... else values[np.newaxis]
            if not np.array_equal(row_checksums(rows), np.atleast_1d(array.attrs[ROW_CHECKSUMS][selection])):
                raise StoreError(f"{path}: {name} is damaged (a checksum differs); {remedy(path)}")
        return values

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._file[name].shape)


def _is_json(text: str) -> bool:
    return text[:1] in ("{", "[", '"') or text == "null"


def _encode(value: Any) -> Any:
    # text that looks like JSON is encoded too, so that decoding gives the same text
    plain = not _is_json(value) if isinstance(value, str) else isinstance(value, (int, float, np.generic))
    return value if plain else json.dumps(value, sort_keys=True)


def _decode(value: Any) -> Any:
    if isinstance(value, str) and _is_json(value):
        return json.loads(value)
    return value.item() if isinstance(value, np.generic) else value


def _check_names(layout: Layout, arrays: Iterable[str], attributes: Iterable[str]) -> None:
    for kind, expected, given in (
        ("arrays", {dataset.name for dataset in layout.datasets}, set(arrays)),
        ("attributes", set(layout.attributes), set(attributes)),
    ):
        if given != expected:
            raise ValueError(
                f"{layout.name}: {kind} missing {sorted(expected - given)}, unknown {sorted(given - expected)}"
            )


def write_stored(path: str | Path, layout: Layout, arrays: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
    """Write a file whose arrays are in memory.

    Args:
        path: The file to write.
        layout: Its layout.
        arrays: One array for each dataset of the layout.
        attributes: One value for each attribute of the layout; containers and None are stored as JSON.

    Raises:
        ValueError: If an array or attribute is missing, unknown, or does not fit the layout.
        StoreError: If the file cannot be written.
    """
    with create_stored(path, layout) as file:
        file.complete(arrays, attributes)


class StoredRows:
    """An array of a file, assigned row by row, each row once; only the current row is in memory."""

    def __init__(self, array: h5py.Dataset) -> None:
        self._array = array
        self._checksums = np.zeros(len(array), dtype=np.uint32) if has_long_rows(array.shape, array.dtype) else None

    def __setitem__(self, index: int, row: NDArray[Any]) -> None:
        row = np.asarray(row, dtype=self._array.dtype)
        self._array[index] = row
        if self._checksums is not None:
            self._checksums[index] = row_checksums(row[np.newaxis])[0]

    def complete(self) -> None:
        """Store the checksums; called once all rows are assigned."""
        if self._checksums is not None:
            self._array.attrs[ROW_CHECKSUMS] = self._checksums


class StoredWriter:
    """A results file being written: large arrays first, row by row, then everything else by ``complete``."""

    def __init__(self, file: h5py.Group, layout: Layout) -> None:
        self._file, self._layout = file, layout
        self._datasets = {dataset.name: dataset for dataset in layout.datasets}
        self._streamed: dict[str, StoredRows] = {}

    def stream(self, name: str, shape: tuple[int, ...]) -> StoredRows:
        """Create an array whose rows the caller then assigns.

        Args:
            name: A dataset of the layout.
            shape: Shape of the whole array.
        """
        array = self._file.create_dataset(name, shape, np.dtype(self._datasets[name].dtype))
        self._streamed[name] = StoredRows(self._describe(array))
        return self._streamed[name]

    def complete(self, arrays: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
        """Write the arrays that were not streamed, and the attributes.

        Raises:
            ValueError: If an array or attribute is missing, unknown, or does not fit the layout.
        """
        _check_names(self._layout, [*self._streamed, *arrays], attributes)
        values = {name: np.asarray(array, dtype=self._datasets[name].dtype) for name, array in arrays.items()}
        shapes = {name: self._file[name].shape for name in self._streamed}
        check_shapes(self._layout, {**shapes, **{name: value.shape for name, value in values.items()}})
        for name, value in attributes.items():
            self._file.attrs[name] = _encode(value)
        for name, value in values.items():
            stored = self._describe(self._file.create_dataset(name, data=value))
            if has_long_rows(value.shape, value.dtype):
                stored.attrs[ROW_CHECKSUMS] = row_checksums(value)
        for rows in self._streamed.values():
            rows.complete()
        self._file.attrs["layout"] = self._layout.name
        self._file.attrs["version"] = self._layout.version
        self._file.file.flush()

    def _describe(self, stored: h5py.Dataset) -> h5py.Dataset:
        dataset = self._datasets[stored.name.rpartition("/")[2]]
        stored.attrs["unit"], stored.attrs["meaning"] = dataset.unit, dataset.meaning
        for dimension, letter in zip(stored.dims, dataset.dims, strict=True):
            dimension.label = letter
        return stored


@contextmanager
def create_stored(path: str | Path, layout: Layout) -> Iterator[StoredWriter]:
    """Write a file atomically: under a temporary name, renamed at the end.

    Args:
        path: The file to write.
        layout: Its layout.

    Raises:
        ValueError: If ``StoredWriter.complete`` was not called.
        StoreError: If the file cannot be written.
    """
    with written_whole(path) as temporary:
        # through a Python file: on a full disk, HDF5's own driver may close silently or end the process
        with open(temporary, "w+b") as stream, h5py.File(stream, "w", userblock_size=USER_BLOCK) as file:
            yield StoredWriter(file, layout)
            if "layout" not in file.attrs:
                raise ValueError(f"{path}: the {layout.name} file was begun but not completed")
        seal(temporary)


@contextmanager
def open_stored(path: str | Path, layout: Layout) -> Iterator[StoredFile]:
    """Verify a file and open it for reading.

    Raises:
        StoreError: If it is missing, truncated, damaged, of another kind, or of another version; the message names
            file and remedy.
    """
    digest = verify(path)
    # no locks: a finished file never changes, and a shared folder may not support locks
    with h5py.File(path, "r", locking=False) as file:
        with _refused(path):
            part = part_of(file, layout)
            check_structure(part, layout)
            stored = StoredFile(part, digest)
        yield stored


@contextmanager
def inspected(path: str | Path) -> Iterator[h5py.File]:
    """A verified file of any layout, for a look at its head: what h5py cannot read there is an error of the file.

    Raises:
        StoreError: If it is missing or damaged, or the head is not as expected.
    """
    verify(path)
    with _refused(path), h5py.File(path, "r", locking=False) as file:
        yield file


@contextmanager
def _refused(path: str | Path) -> Iterator[None]:
    """Tell in one line what h5py or a check finds wrong in a file."""
    try:
        yield
    # h5py raises these for damaged content, the checks for a mismatch with the layout
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: {error}; {remedy(path)}") from None
