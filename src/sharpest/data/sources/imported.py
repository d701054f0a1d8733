"""The batches of an imported run: they stay in the user's code, so there is no file to decode."""

from typing import NoReturn

from sharpest.config.sources.imported import SOURCE
from sharpest.errors import DataError

__all__ = ["SOURCE", "load"]


def load(*_: object) -> NoReturn:
    """There is nothing to load.

    Raises:
        DataError: With the remedy.
    """
    raise DataError("the data of an imported run are written with its checkpoints; run 'sharpest import' again")
