"""Refuse a path that is not a results folder, or a folder written by another version, before anything is made."""

import os
from pathlib import Path

import h5py

from sharpest.errors import StoreError
from sharpest.results.paths import Paths
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.results.whole import regular


def check_folder(paths: Paths) -> None:
    """Check that the results folder can be a folder.

    Raises:
        StoreError: If the folder of the scale, or one of its parents, is a file or a link without a folder behind it.
    """
    for folder in (*reversed(paths.folder.parents), paths.folder):
        if os.path.lexists(folder) and not folder.is_dir():
            what = "a link without a folder behind it" if folder.is_symlink() else "not a folder"
            raise StoreError(f"{folder}: is {what}, but results go there; move it away, or give snakemake --directory")


def check_version(paths: Paths) -> None:
    """Check the version of the first readable states file; all files of a folder have one version.

    Without this check, a new version of the code would retrain every run over the old files.

    Raises:
        StoreError: If the version differs. Names both versions and the remedy; nothing was changed.
    """
    any_run = paths.snapshots("*")
    files = any_run.parents[1].rglob(any_run.name)
    version = next((version for path in files if (version := _version(path)) is not None), None)
    if version is None or version == SNAPSHOTS.version:
        return
    age, remedy = "an older", f"keep it with: mv {paths.folder} {paths.folder}-{SNAPSHOTS.name}{version}"
    if version > SNAPSHOTS.version:
        age, remedy = "a newer", "use that version of the code"
    raise StoreError(
        f"{paths.folder}: was written by {age} version of the code (snapshots version {version}, this one has "
        f"{SNAPSHOTS.version}), and its runs would be trained again; {remedy}, or give snakemake another --directory; "
        "nothing was changed"
    )


def _version(path: Path) -> int | None:
    """The layout version of a file; None if the file is damaged, which the jobs that read it report."""
    try:
        with h5py.File(regular(path), "r", locking=False) as file:
            return int(file.attrs["version"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, StoreError):
        return None
