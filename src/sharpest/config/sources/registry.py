"""All data sources by name; a configuration is checked against them before anything is loaded."""

from importlib import import_module

from sharpest.config.sources import description_module
from sharpest.config.sources.base import Source

SOURCES: dict[str, Source] = {
    name: import_module(description_module(name)).SOURCE
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
        "imported",
    )
}
