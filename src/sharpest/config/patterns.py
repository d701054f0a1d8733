"""Values that differ by run: the first pattern that fits a run's id counts."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

_T = TypeVar("_T")


def first_match(patterns: Mapping[str, _T], run: str) -> _T | None:
    """The value of the first pattern that fits a run id; None where none does."""
    return next((value for pattern, value in patterns.items() if fnmatchcase(run, pattern)), None)
