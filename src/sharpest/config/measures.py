"""All measures: each folder of ``sharpest.measures`` is found automatically."""

import difflib
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from sharpest.config.measure import Measure
from sharpest.errors import ConfigError

_PACKAGE = "sharpest.measures"


@cache
def measure_names() -> tuple[str, ...]:
    """Names of all measures, in alphabetical order."""
    package = import_module(_PACKAGE)
    return tuple(sorted(module.name for module in iter_modules(package.__path__) if module.ispkg))


@cache
def declared(name: str) -> Measure:
    """The declaration of a measure. The code that measures is imported only by the job that runs it.

    Raises:
        ConfigError: If there is no such measure, or its declaration cannot be imported.
    """
    if name not in measure_names():
        close = difflib.get_close_matches(name, measure_names(), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(measure_names())}"
        raise ConfigError(f"unknown measure {name!r}; {hint}")
    try:
        measure: Measure = import_module(f"{_PACKAGE}.{name}").MEASURE
    except Exception as error:  # a user's module may raise anything
        place = f"src/{_PACKAGE.replace('.', '/')}/{name}/__init__.py"
        raise ConfigError(f"measure {name}: {error}; correct {place}") from error
    if measure.name != name:
        raise ConfigError(f"measure {name}: its layout is named {measure.name!r}; give it the name of the folder")
    return measure


def measuring_module(name: str) -> str:
    """The module that holds the function ``measure``."""
    return f"{_PACKAGE}.{name}.measure"


def reading_module(name: str) -> str:
    """The module that reads the files of a measure: its own reader, or its declaration."""
    reader = f"{_PACKAGE}.{name}.reader"
    return reader if find_spec(reader) else f"{_PACKAGE}.{name}"
