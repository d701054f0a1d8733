"""The record of imported data, which themselves stay in the user's code."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from sharpest.results.data import DATA
from sharpest.results.file import StoredFile, open_stored, write_stored
from sharpest.results.layout import Dataset, Layout

IMPORTED = Layout(
    "imported",
    1,
    (Dataset("batch_examples", "i8", ("m",), "examples", "in each of the batches, which stay in the user's code"),),
    ("modules", *DATA.attributes),
)


def write_imported(path: Path, batch_examples: Sequence[int], attributes: Mapping[str, Any]) -> None:
    """Write the record of imported data.

    Args:
        path: The file.
        batch_examples: (m,), examples in each batch.
        attributes: Attributes of the layout.

    Raises:
        StoreError: If it cannot be written.
    """
    write_stored(path, IMPORTED, {"batch_examples": np.array(batch_examples)}, attributes)


def open_imported(path: str | Path) -> AbstractContextManager[StoredFile]:
    """Open the record of imported data for reading.

    Raises:
        StoreError: See ``open_stored``.
    """
    return open_stored(path, IMPORTED)
