"""What is kept of data that stay in the user's own code."""

from contextlib import AbstractContextManager
from pathlib import Path

from sharpest.results.data import DATA
from sharpest.results.file import StoredFile, open_stored
from sharpest.results.layout import Dataset, Layout

IMPORTED = Layout(
    "imported",
    1,
    (Dataset("batch_examples", "i8", ("m",), "examples", "in each of the batches, which stay in the user's code"),),
    ("modules", *DATA.attributes),
)


def open_imported(path: str | Path) -> AbstractContextManager[StoredFile]:
    """Open the record of such data for reading.

    Raises:
        StoreError: As of :func:`sharpest.results.file.open_stored`.
    """
    return open_stored(path, IMPORTED)
