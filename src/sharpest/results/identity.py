"""Whether an HDF5 file is the one that is meant, and was made from the files that are there now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py

from sharpest.errors import StoreError
from sharpest.results.checksum import digest_of, verify
from sharpest.results.file import remedy
from sharpest.results.layout import MADE_FROM
from sharpest.results.paths import Paths


def check_stored(path: Path, attributes: Mapping[str, Any], paths: Paths, **expected: str) -> None:
    """Check a file that was read.

    Args:
        path: The file.
        attributes: Its own.
        paths: Of the scale.
        expected: Those that it has to have, beside the scale: run, schedule.

    Raises:
        StoreError: If it is of another run, schedule or scale, or was made from other files than are there now.
    """
    if attributes["scale"]:  # a monitor's file is of none
        expected["scale"] = paths.folder.name
    check_identity(path, attributes, expected)
    if source := changed_source(attributes[MADE_FROM], paths):
        _check_place(source, paths)
        raise other_source(path, source)


def _check_place(path: Path, paths: Paths) -> None:
    """Check that a file of whatever kind is of the run and schedule that its place says."""
    _, *run, name = Path(paths.place(path)).parts
    expected = {"run": "/".join(run), "schedule": Path(name).stem}
    try:
        verify(path)
        with h5py.File(path, "r", locking=False) as file:
            found = {key: str(file.attrs[key]) for key in expected if key in file.attrs}
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreError(f"{path}: {error}; {remedy(path)}") from None
    check_identity(path, found, {key: expected[key] for key in found})


def check_identity(path: Path, attributes: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Check that a file is of the run, schedule and scale that are meant.

    Args:
        path: The file.
        attributes: Its own.
        expected: Some of them, as they have to be.

    Raises:
        StoreError: If one differs; names both values, and the remedy.
    """
    for name, value in expected.items():
        if attributes[name] != value:
            raise StoreError(f"{path}: is of {name} {attributes[name]!r}, expected {value!r}; {remedy(path)}")


def changed_source(made_from: Mapping[str, str], paths: Paths) -> Path | None:
    """The first file that is not what something was made from; one that is not there is not compared.

    Args:
        made_from: Digests by place in the folder of the scale.
        paths: Of the scale.
    """
    for place, digest in made_from.items():
        source = paths.folder / place
        if source.exists() and digest_of(source) != digest:
            return source
    return None


def other_source(path: Path, source: Path) -> StoreError:
    """The error of a file that was made from another one than is there."""
    return StoreError(f"{path}: was made from another {source} than is there now; put that one back, or {remedy(path)}")
