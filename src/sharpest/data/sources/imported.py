"""Source of imported runs. Their batches come from the user's code, so no file is decoded."""

from typing import NoReturn

from sharpest.config.sources import IMPORTED as SOURCE
from sharpest.errors import DataError

__all__ = ["SOURCE", "load"]


def load(*_: object) -> NoReturn:
    """Fail, because there is nothing to decode.

    Raises:
        DataError: Always; names the remedy.
    """
    raise DataError("'sharpest import' writes the data of an imported run with its checkpoints; run it again")
