"""How long jobs took, as they recorded it."""

from pathlib import Path

import pandas as pd

from sharpest.errors import StoreError


def seconds_of(record: Path) -> float:
    """All seconds of a record of time.

    Raises:
        StoreError: If it is damaged.
    """
    try:
        return float(pd.read_csv(record, sep="\t", usecols=["s"])["s"].astype(float).sum())
    except (OSError, ValueError) as error:  # also what pandas raises for no columns, or bytes that are no text
        raise StoreError(
            f"{record}: is no record of time ({type(error).__name__}); delete it, nothing else depends on it"
        ) from None
