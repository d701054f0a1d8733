"""What a file is and what made it: checked whenever it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from sharpest.errors import StoreError
from sharpest.results.file import StoredFile, open_stored, remedy
from sharpest.results.layout import MADE_FROM, Layout
from sharpest.results.paths import Paths, is_inside
from sharpest.results.whole import content_digest, digest_of, has_long_rows, own_digest, verify

_TEXTS = frozenset({"code", "created", "dataset", "device", "git", "origin", "run", "scale", "schedule", "sha256"})
_LISTS = frozenset({"left_out", "reductions"})
_MAPPINGS = frozenset({MADE_FROM, "packages"})
"""Attributes that are a text, a list of texts, or a mapping from texts to texts."""


def check_attributes(path: Path, attributes: Mapping[str, Any]) -> None:
    """Check the types of the attributes that tell where a file comes from.

    Raises:
        StoreError: If one has another type, or a source would lie outside the folder of the scale.
    """
    for name, value in attributes.items():
        if name in _TEXTS and not isinstance(value, str | None):
            raise StoreError(f"{path}: its attribute {name} is not a text; {remedy(path)}")
        if name in _LISTS and not (isinstance(value, list) and _are_texts(value)):
            raise StoreError(f"{path}: its attribute {name} is not a list of texts; {remedy(path)}")
        if name in _MAPPINGS and not (isinstance(value, dict) and _are_texts(value.values())):
            raise StoreError(f"{path}: its attribute {name} is not a mapping of texts; {remedy(path)}")
    for place in attributes.get(MADE_FROM, {}):
        if not is_inside(place):
            raise StoreError(
                f"{path}: was made from {place!r}, which does not lie in the folder of a scale; {remedy(path)}"
            )


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def check_stored(path: Path, attributes: Mapping[str, Any], paths: Paths, **expected: str) -> None:
    """Check a file that was read.

    Args:
        path: The file.
        attributes: Attributes of the file.
        paths: Paths of the scale.
        expected: Attribute values that the file must have besides its scale: run, schedule.

    Raises:
        StoreError: If it belongs to another run, schedule or scale, or was not made from the present files.
    """
    check_attributes(path, attributes)
    if attributes["scale"]:  # the file of a monitor has no scale
        expected["scale"] = paths.folder.name
    check_identity(path, attributes, expected)
    if source := changed_source(attributes[MADE_FROM], paths):
        _check_place(source, paths)
        raise other_source(path, source)


def _check_place(path: Path, paths: Paths) -> None:
    """Check that a file of any kind belongs to the run and schedule that its path names."""
    _, *run, name = Path(paths.place(path)).parts
    expected = {"run": "/".join(run), "schedule": Path(name).stem}
    try:
        verify(path)
        with h5py.File(path, "r", locking=False) as file:
            recorded = {key: str(file.attrs[key]) for key in expected if key in file.attrs}
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreError(f"{path}: {error}; {remedy(path)}") from None
    check_identity(path, recorded, {key: expected[key] for key in recorded})


def check_identity(path: Path, attributes: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Check that a file belongs to the expected run, schedule and scale.

    Args:
        path: The file.
        attributes: Attributes of the file.
        expected: Values that some of the attributes must have.

    Raises:
        StoreError: If a value differs; names both values and the remedy.
    """
    for name, value in expected.items():
        if attributes[name] != value:
            raise StoreError(f"{path}: belongs to {name} {attributes[name]!r}, expected {value!r}; {remedy(path)}")


def changed_source(made_from: Mapping[str, str], paths: Paths) -> Path | None:
    """The first source whose content differs from its recorded digest; missing sources are skipped.

    Args:
        made_from: Recorded digests, by path relative to the folder of the scale.
        paths: Paths of the scale.
    """
    for place, digest in made_from.items():
        source = paths.folder / place
        if source.exists() and digest_of(source) != digest:
            return source
    return None


def other_source(path: Path, source: Path) -> StoreError:
    """The error for a file whose source has changed since."""
    return StoreError(f"{path}: was made from another {source} than is there now; put that one back, or {remedy(path)}")


def read_through(path: Path, layouts: Iterable[Layout]) -> StoredFile:
    """Read and verify a whole file, including the rows that have their own checksums.

    Args:
        path: The file.
        layouts: Layouts that it may have.

    Returns:
        The closed file, with its attributes and digest.

    Raises:
        StoreError: If it is damaged, of another kind or version, or its content does not match its digest.
    """
    *others, last = layouts
    layout = next((layout for layout in others if layout.name == _name(path)), last)
    with open_stored(path, layout) as file:
        check_attributes(path, file.attributes)
        for name, shape, dtype in ((each.name, file.shape(each.name), each.dtype) for each in layout.datasets):
            # gigabytes, read row by row; everything else was verified when the file was opened
            for row in range(shape[0] if has_long_rows(shape, np.dtype(dtype)) else 0):
                file.row(name, row)
        with h5py.File(path, "r", locking=False) as opened:
            if content_digest(opened) != own_digest(path):
                raise StoreError(f"{path}: its content does not match its digest; {remedy(path)}")
    return file


def _name(path: Path) -> str | None:
    """The name of a file's layout; None if the file cannot be read."""
    try:
        verify(path)
        with h5py.File(path, "r", locking=False) as file:
            return str(file.attrs["layout"])
    except (OSError, RuntimeError, KeyError, ValueError):
        return None
