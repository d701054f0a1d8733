"""Read how long jobs took from their records."""

from pathlib import Path

import pandas as pd

from sharpest.errors import StoreError


def seconds_of(record: Path) -> float:
    """Total seconds in a record of time.

    Raises:
        StoreError: If the record is damaged.
    """
    try:
        return float(pd.read_csv(record, sep="\t", usecols=["s"])["s"].astype(float).sum())
    except (OSError, ValueError) as error:  # pandas raises these for missing columns and for bytes that are not text
        raise StoreError(
            f"{record}: damaged record of time ({type(error).__name__}); delete it, nothing else depends on it"
        ) from None
