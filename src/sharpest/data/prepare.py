"""Decode a data source by its name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from sharpest.config.source import SourceSettings
from sharpest.data.cifar import CIFAR10, CIFAR100, load_cifar
from sharpest.data.decoded import Decoded
from sharpest.data.digits import load_digits
from sharpest.data.fashion_mnist import load_fashion_mnist
from sharpest.data.generated_reviews import load_generated_reviews
from sharpest.data.imdb import load_imdb
from sharpest.data.ptb import load_ptb
from sharpest.data.topics import load_topics

_LOADERS: dict[str, Callable[[Path | None, str | None, Path], Decoded]] = {
    "digits": lambda folder, url, cache: load_digits(),
    "fashion-mnist": load_fashion_mnist,
    "cifar-10": partial(load_cifar, CIFAR10),
    "cifar-100": partial(load_cifar, CIFAR100),
    "ptb": load_ptb,
    "python-topics": lambda folder, url, cache: load_topics(),
    "imdb": load_imdb,
    "generated-reviews": lambda folder, url, cache: load_generated_reviews(),
}


def prepare(source: str, settings: SourceSettings, cache: Path) -> Decoded:
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
