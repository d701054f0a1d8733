"""The source of an imported run's batches: the user's code, so there is no file to decode."""

from typing import NoReturn

from sharpest.config.sources.imported import SOURCE
from sharpest.errors import DataError

__all__ = ["SOURCE", "load"]


def load(*_: object) -> NoReturn:
    """Fail, because there is nothing to decode.

    Raises:
        DataError: Always; names the remedy.
    """
    raise DataError("'sharpest import' writes the data of an imported run with its checkpoints; run it again")
