"""Decode a data source by its name."""

from importlib import import_module
from pathlib import Path
from typing import Any

from sharpest.config.source import SourceSettings
from sharpest.data.sources import source_module
from sharpest.data.sources.decoded import Decoded


def prepare(source: str, settings: SourceSettings, cache: Path) -> Decoded[Any]:
    """Find, verify and decode a source.

    Args:
        source: A key of ``sharpest.config.sources.SOURCES``.
        settings: Where its files are; the folder may begin with ~.
        cache: The folder for downloaded files.

    Raises:
        DataError: If its files are missing, damaged or not the original ones; the message names file and remedy.
    """
    module = import_module(source_module(source))
    folder = None if settings.folder is None else Path(settings.folder).expanduser()
    data: Decoded[Any] = module.load(folder, settings.url, cache)
    data.check(module.SOURCE)
    return data
