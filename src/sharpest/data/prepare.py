"""Decode a data source by its name."""

from collections.abc import Callable
from pathlib import Path

from sharpest.config.source import SourceSettings
from sharpest.data.cifar10 import load_cifar10
from sharpest.data.decoded import DecodedData
from sharpest.data.digits import load_digits
from sharpest.data.fashion_mnist import load_fashion_mnist

_LOADERS: dict[str, Callable[[Path | None, str | None, Path], DecodedData]] = {
    "digits": lambda folder, url, cache: load_digits(),
    "fashion-mnist": load_fashion_mnist,
    "cifar-10": load_cifar10,
}


def prepare(source: str, settings: SourceSettings, cache: Path) -> DecodedData:
    """Find, verify and decode a source.

    Args:
        source: A name of ``sharpest.data.sources.SOURCES``.
        settings: Where its files are; the folder may begin with ~.
        cache: Where downloaded files are kept.

    Raises:
        DataError: If its files are missing, damaged or not the original ones; the message names file and remedy.
    """
    folder = None if settings.folder is None else Path(settings.folder).expanduser()
    data = _LOADERS[source](folder, settings.url, cache)
    data.check(source)
    return data
