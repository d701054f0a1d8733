"""Values that differ by run: the first pattern that fits a run's id counts."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

_T = TypeVar("_T")


def first_match(patterns: Mapping[str, _T], run: str) -> _T | None:
    """The value of the first pattern that fits a run id; None where none does."""
    return next((value for pattern, value in patterns.items() if fnmatchcase(run, pattern)), None)


def for_run(value: _T | Mapping[str, _T] | None, run: str) -> _T | None:
    """A value that may differ by run: itself, or that of the first pattern that fits the run's id."""
    return first_match(value, run) if isinstance(value, Mapping) else value
