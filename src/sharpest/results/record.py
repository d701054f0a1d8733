"""The record of a finished file: what it is, what it was made from, and the digest of its content.

Every file has one record, and every reader checks it with ``check_record``. An HDF5 file carries its own: scale, run,
schedule and sources in its attributes, the digest in its user block. Other files that were made together share one
beside them: ``history.made.json``, or ``fig06.made.json`` for the csv, png and pdf of a figure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from sharpest.errors import StoreError
from sharpest.results.file import StoredFile, inspected, open_stored
from sharpest.results.layout import MADE_FROM, Layout
from sharpest.results.paths import Paths, is_inside, is_stored
from sharpest.results.whole import content_digest, digest_of, has_long_rows, own_digest, present, remedy, written_whole

_FILES = "files"
_TEXTS = frozenset({"code", "created", "dataset", "device", "git", "origin", "run", "scale", "schedule", "sha256"})
_LISTS = frozenset({"left_out", "reductions"})
_MAPPINGS = frozenset({_FILES, MADE_FROM, "packages"})
"""Entries of a record that are a text, a list of texts, or a mapping from texts to texts."""


def write_record(paths: Paths, files: Iterable[str | Path], made_from: Mapping[str, str]) -> None:
    """Write the record of finished files other than HDF5 beside the first of them.

    Args:
        paths: Paths of the scale.
        files: Files that were made together.
        made_from: Digests of their sources, by path relative to the folder of the scale.

    Raises:
        StoreError: If it cannot be written.
    """
    written = [Path(path) for path in files]
    record = {
        "scale": paths.folder.name,
        _FILES: {paths.place(path): digest_of(path) for path in written},
        MADE_FROM: dict(made_from),
    }
    with written_whole(paths.made(written[0])) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def read_record(path: Path) -> dict[str, Any]:
    """The record of files other than HDF5: ``scale``, ``files`` and ``made_from``.

    Raises:
        StoreError: If it is missing or damaged.
    """
    try:
        record = json.loads(present(path).read_bytes())
        record = {name: record[name] for name in ("scale", _FILES, MADE_FROM)}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreError(f"{path}: is not a record of finished files ({error}); {remedy(path)}") from None
    check_types(path, record)
    return record


def check_types(path: Path, record: Mapping[str, Any]) -> None:
    """Check the types of the entries of a record.

    Raises:
        StoreError: If one has another type, or a file would lie outside the folder of the scale.
    """
    for name, value in record.items():
        if name in _TEXTS and not isinstance(value, str | None):
            raise StoreError(f"{path}: its attribute {name} is not a text; {remedy(path)}")
        if name in _LISTS and not (isinstance(value, list) and _are_texts(value)):
            raise StoreError(f"{path}: its attribute {name} is not a list of texts; {remedy(path)}")
        if name in _MAPPINGS and not (isinstance(value, dict) and _are_texts(value.values())):
            raise StoreError(f"{path}: its attribute {name} is not a mapping of texts; {remedy(path)}")
    for place in (*record.get(_FILES, ()), *record.get(MADE_FROM, ())):
        if not is_inside(place):
            raise StoreError(f"{path}: names {place!r}, which does not lie in the folder of a scale; {remedy(path)}")


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def check_record(path: Path, record: Mapping[str, Any], paths: Paths, **expected: str) -> None:
    """Check a file by its record.

    Args:
        path: The file. The bytes of HDF5 were verified when it was opened; others are compared with their digest.
        record: Attributes of the HDF5 file, or the content of the record beside other files.
        paths: Paths of the scale.
        expected: Entries that the record must have besides its scale: run, schedule.

    Raises:
        StoreError: If it belongs to another run, schedule or scale, has changed, or was not made from the present
            files.
    """
    check_types(path, record)
    if record["scale"]:  # the file of a monitor has no scale
        expected["scale"] = paths.folder.name
    check_identity(path, record, expected)
    if not is_stored(path) and record[_FILES].get(paths.place(path)) != digest_of(path):
        raise StoreError(f"{path}: has changed since it was written (its digest differs); {remedy(path)}")
    if source := changed_source(record[MADE_FROM], paths):
        if is_stored(source):
            _check_place(source, paths)
        raise other_source(path, source)


def check_recorded(path: Path, paths: Paths) -> str:
    """Check a file other than HDF5 by the record beside it; return its digest.

    Raises:
        StoreError: See ``check_record``; also if file or record is missing.
    """
    record = read_record(paths.made(present(path)))
    check_record(path, record, paths)
    return str(record[_FILES][paths.place(path)])


def _check_place(path: Path, paths: Paths) -> None:
    """Check that an HDF5 file belongs to the run and schedule that its path names."""
    _, *run, name = Path(paths.place(path)).parts
    expected = {"run": "/".join(run), "schedule": Path(name).stem}
    with inspected(path) as file:
        recorded = {key: str(file.attrs[key]) for key in expected if key in file.attrs}
    check_identity(path, recorded, {key: expected[key] for key in recorded})


def check_identity(path: Path, record: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Check that entries of a record have the expected values.

    Raises:
        StoreError: If a value differs; names both values and the remedy.
    """
    for name, value in expected.items():
        if record[name] != value:
            raise StoreError(f"{path}: belongs to {name} {record[name]!r}, expected {value!r}; {remedy(path)}")


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
    with inspected(path) as opened:
        name = str(opened.attrs.get("layout"))
    layout = next((layout for layout in others if layout.name == name), last)
    with open_stored(path, layout) as file:
        check_types(path, file.attributes)
        for name, shape, dtype in ((each.name, file.shape(each.name), each.dtype) for each in layout.datasets):
            # gigabytes, read row by row; everything else was verified when the file was opened
            for row in range(shape[0] if has_long_rows(shape, np.dtype(dtype)) else 0):
                file.row(name, row)
        with h5py.File(path, "r", locking=False) as opened:
            if content_digest(opened) != own_digest(path):
                raise StoreError(f"{path}: its content does not match its digest; {remedy(path)}")
    return file
