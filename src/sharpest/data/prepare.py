"""Decode a data source by its name, and see which sources a results folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import h5py

from sharpest.config.sources import SourceSettings
from sharpest.data.sources import code_of_source
from sharpest.data.sources.decoded import Decoded
from sharpest.errors import DataError
from sharpest.results.paths import Paths


def check_recorded(datasets: Mapping[str, str], paths: Paths) -> None:
    """Refuse to mix sources: within a results folder, each data set comes from one source.

    Args:
        datasets: Data set -> its configured source.
        paths: Paths of the scale.

    Raises:
        DataError: If a data file was made from another source; names both sources and the remedies.
    """
    for name, source in datasets.items():
        path = paths.data(name)
        recorded = _recorded_source(path)
        if recorded is not None and recorded != source:
            raise DataError(
                f"{path}: holds {recorded}, but the configuration says {source}; a results folder cannot mix the two: "
                "use the --configfile or datasets that the folder was made with, give snakemake another --directory, "
                "or delete it, and whatever was made from it is made again"
            )


def _recorded_source(path: Path) -> str | None:
    """The source of a data file; None if it is missing, or damaged, which the jobs that read it report."""
    try:
        with h5py.File(path) as file:
            return str(file.attrs["dataset"])
    except (OSError, RuntimeError, KeyError):
        return None


def prepare(kind: str, source: str, settings: SourceSettings, cache: Path) -> Decoded[Any]:
    """Find, verify and decode a source.

    Args:
        kind: Its kind.
        source: A key of ``sharpest.config.sources.SOURCES``.
        settings: Where its files are; the folder may begin with ~.
        cache: The folder for downloaded files.

    Raises:
        DataError: If its files are missing, damaged or not the original ones; the message names file and remedy.
    """
    read, description = map(resolve_name, code_of_source(kind, source))
    folder = None if settings.folder is None else Path(settings.folder).expanduser()
    data: Decoded[Any] = read(folder, settings.url, cache)
    data.check(description)
    return data
