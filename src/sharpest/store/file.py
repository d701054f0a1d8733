"""Write and read HDF5 files of a known layout."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sharpest.errors import StoreError
from sharpest.store.layout import Layout


class StoredFile:
    """An open results file: arrays by name, and decoded attributes."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self.attributes: dict[str, Any] = {name: _decode(value) for name, value in file.attrs.items()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._file[name][...]  # type: ignore[no-any-return]

    def row(self, name: str, index: int) -> NDArray[Any]:
        """One row of an array, without reading the others."""
        return self._file[name][index]  # type: ignore[no-any-return]

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._file[name].shape)


def _encode(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, np.generic)) else json.dumps(value, sort_keys=True)


def _decode(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json.loads(value)
    return value.item() if isinstance(value, np.generic) else value


def _check_shapes(layout: Layout, shapes: Mapping[str, tuple[int, ...]]) -> None:
    sizes: dict[str, int] = {}
    for dataset in layout.datasets:
        shape = shapes[dataset.name]
        if len(shape) != len(dataset.dims):
            raise ValueError(f"{dataset.name} has shape {shape}, expected dimensions ({', '.join(dataset.dims)})")
        for letter, size in zip(dataset.dims, shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ValueError(f"{dataset.name} has {letter} = {size}, other arrays have {sizes[letter]}")


def write_stored(path: str | Path, layout: Layout, arrays: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
    """Write a file under a temporary name, then rename it: it is there whole or not at all.

    Args:
        path: Where.
        layout: Its kind.
        arrays: One array for each dataset of the layout.
        attributes: At least the layout's; containers are stored as JSON.

    Raises:
        ValueError: If an array or attribute is missing, unknown, or at odds with the layout.
        StoreError: If the file cannot be written.
    """
    names = {dataset.name for dataset in layout.datasets}
    if set(arrays) != names:
        raise ValueError(f"{layout.name}: missing {sorted(names - set(arrays))}, unknown {sorted(set(arrays) - names)}")
    if missing := set(layout.attributes) - set(attributes):
        raise ValueError(f"{layout.name}: missing attributes {sorted(missing)}")
    values = {dataset.name: np.asarray(arrays[dataset.name], dtype=dataset.dtype) for dataset in layout.datasets}
    _check_shapes(layout, {name: value.shape for name, value in values.items()})
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(temporary, "w") as file:
            file.attrs["layout"] = layout.name
            file.attrs["version"] = layout.version
            for name, value in attributes.items():
                file.attrs[name] = _encode(value)
            for dataset in layout.datasets:
                stored = file.create_dataset(dataset.name, data=values[dataset.name])
                stored.attrs["unit"], stored.attrs["meaning"] = dataset.unit, dataset.meaning
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written ({error}); free space or correct the folder's rights") from error


@contextmanager
def open_stored(path: str | Path, layout: Layout) -> Iterator[StoredFile]:
    """Open a file for reading after checking that it is what it should be.

    Raises:
        StoreError: If it is missing, truncated, foreign, or of another version; the message names file and remedy.
    """
    remedy = f"delete it and run snakemake again to make {Path(path).name} anew"
    if not Path(path).exists():
        raise StoreError(f"{path}: does not exist; make it with: snakemake --cores all {path}")
    try:
        file = h5py.File(path, "r")
    except OSError:
        raise StoreError(f"{path}: is empty, truncated or no HDF5 file; {remedy}") from None
    with file:
        found, version = file.attrs.get("layout"), file.attrs.get("version")
        if found != layout.name:
            raise StoreError(f"{path}: is no {layout.name} file (layout {found!r}); {remedy}")
        if version != layout.version:
            raise StoreError(f"{path}: {layout.name} version {version}, this code reads {layout.version}; {remedy}")
        missing = [d.name for d in layout.datasets if d.name not in file] + [
            name for name in layout.attributes if name not in file.attrs
        ]
        if missing:
            raise StoreError(f"{path}: lacks {', '.join(missing)}; {remedy}")
        try:
            _check_shapes(layout, {d.name: file[d.name].shape for d in layout.datasets})
        except ValueError as error:
            raise StoreError(f"{path}: {error}; {remedy}") from None
        try:
            yield StoredFile(file)
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error}); {remedy}") from error
