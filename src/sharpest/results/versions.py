"""Refuse what is no results folder, or one that another version of the code has written, before anything is made."""

import os
from pathlib import Path

import h5py

from sharpest.errors import StoreError
from sharpest.results.paths import Paths
from sharpest.results.snapshots import SNAPSHOTS


def check_folder(paths: Paths) -> None:
    """Check that nothing else stands where results go.

    Raises:
        StoreError: If the folder of the scale, or one around it, is a file, or a link that leads nowhere.
    """
    for folder in (*reversed(paths.folder.parents), paths.folder):
        if os.path.lexists(folder) and not folder.is_dir():
            what = "a link that leads to no folder" if folder.is_symlink() else "no folder"
            raise StoreError(f"{folder}: is {what}, and results go there; move it away, or give snakemake --directory")


def check_version(paths: Paths) -> None:
    """Look at the states of a run that can be read; all files of a folder are of one version of the code.

    Without this, a new version would train every run again over the old files.

    Raises:
        StoreError: Names the versions, and what to do; nothing was changed.
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
    """None where a file is damaged, which the jobs that read it refuse."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return int(file.attrs["version"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError):
        return None
