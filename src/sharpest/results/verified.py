"""Read a whole file and verify that its bytes are those that were written."""

from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from sharpest.errors import StoreError
from sharpest.results.checksum import content_digest, has_long_rows, own_digest, verify
from sharpest.results.file import StoredFile, open_stored, remedy
from sharpest.results.identity import check_attributes
from sharpest.results.layout import Layout


def read_through(path: Path, layouts: Iterable[Layout]) -> StoredFile:
    """Read and verify a whole file, including the rows that have their own checksums.

    Args:
        path: The file.
        layouts: Layouts that it may have.

    Returns:
        The closed file, with its attributes and digest.

    Raises:
        StoreError: If it is damaged, of another kind or version, or its content does not match its digest.
    """
    *others, last = layouts
    layout = next((layout for layout in others if layout.name == _name(path)), last)
    with open_stored(path, layout) as file:
        check_attributes(path, file.attributes)
        for name, shape, dtype in ((each.name, file.shape(each.name), each.dtype) for each in layout.datasets):
            # gigabytes, read row by row; everything else was verified when the file was opened
            for row in range(shape[0] if has_long_rows(shape, np.dtype(dtype)) else 0):
                file.row(name, row)
        with h5py.File(path, "r", locking=False) as opened:
            if content_digest(opened) != own_digest(path):
                raise StoreError(f"{path}: its content does not match its digest; {remedy(path)}")
    return file


def _name(path: Path) -> str | None:
    """The name of a file's layout; None if the file cannot be read."""
    try:
        verify(path)
        with h5py.File(path, "r", locking=False) as file:
            return str(file.attrs["layout"])
    except (OSError, RuntimeError, KeyError, ValueError):
        return None
