"""Warn of finished files that Snakemake takes for current, although their contents tell otherwise.

Snakemake compares its own records and timestamps. It does not notice files that were merged from another checkout, put
back from a backup, or written while the clock was wrong.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py

from sharpest.errors import StoreError
from sharpest.pipeline.why import changes
from sharpest.results.file import remedy
from sharpest.results.identity import changed_source
from sharpest.results.made import again, read_made
from sharpest.results.paths import Paths
from sharpest.results.whole import regular


def other_settings(path: Path, expected: Mapping[str, Any], points: int | None = None) -> str:
    """A line if a finished HDF5 file was made with other settings than the configuration has; else empty.

    Args:
        path: The file. A damaged one is reported by the jobs that read it.
        expected: Settings that the file records, by name.
        points: Number of points of a measurement.
    """
    try:
        with h5py.File(regular(path), "r", locking=False) as file:
            stored = json.loads(file.attrs["config"])
            planned = None if points is None else int(file.attrs["planned_points"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, StoreError):
        return ""
    now = json.loads(json.dumps(dict(expected)))
    differences = [
        changes([repr(stored.get(name))], {name: now[name]}) for name in now if stored.get(name) != now[name]
    ]
    if planned != points:
        differences.append(f"points {planned} -> {points}")
    if not differences:
        return ""
    what = ", ".join(differences)
    return f"{path}: was made with other settings than the configuration has now ({what}); {remedy(path)}"


def made_of_others(path: Path, paths: Paths) -> str:
    """A line if the finished files of a record were made from other files than those present; else empty.

    Args:
        path: The record.
        paths: Paths of the scale.
    """
    try:
        record = read_made(path)
        source = changed_source(record["made_from"], paths)
    except StoreError:
        return ""  # reported by the jobs that read it
    if source is None or not record["files"]:
        return ""
    first = paths.folder / next(iter(record["files"]))
    return f"{first}: was made from another {source} than is there now; {again(first)}"
