"""The data sources by name, as facts that a configuration can be checked against without loading anything."""

from importlib import import_module

from sharpest.data.sources import source_module
from sharpest.data.sources.facts import Source

SOURCES: dict[str, Source] = {
    name: import_module(source_module(name)).SOURCE
    for name in (
        "digits",
        "fashion-mnist",
        "cifar-10",
        "cifar-100",
        "ptb",
        "python-topics",
        "imdb",
        "generated-reviews",
        "bible-kjv",
        "rated-sentences",
        "own-images",
    )
}
