"""Results files: HDF5 layouts, reader, writer. Knows nothing of torch."""

from sharpest.store.file import StoredFile, open_stored, write_stored
from sharpest.store.layout import DATA, DIRECTIONS, EVALUATION, SNAPSHOTS, SPECTRUM, Dataset, Layout

__all__ = [
    "DATA",
    "DIRECTIONS",
    "EVALUATION",
    "SNAPSHOTS",
    "SPECTRUM",
    "Dataset",
    "Layout",
    "StoredFile",
    "open_stored",
    "write_stored",
]
