"""Decoded images."""

from contextlib import AbstractContextManager
from pathlib import Path

from sharpest.results.file import StoredFile, open_stored
from sharpest.results.layout import Dataset, Layout

DATA = Layout(
    "data",
    2,
    (
        Dataset("train_inputs", "u1", ("n", "c", "y", "w"), "", "decoded training images in canonical order"),
        Dataset("train_targets", "i8", ("n",), "", "classes"),
        Dataset("test_inputs", "u1", ("x", "c", "y", "w"), "", "decoded test images in canonical order"),
        Dataset("test_targets", "i8", ("x",), "", "classes"),
    ),
    ("dataset", "sha256", "origin", "num_classes", "code", "created"),
)


def open_images(path: str | Path) -> AbstractContextManager[StoredFile]:
    """Open decoded images for reading.

    Raises:
        StoreError: See ``open_stored``.
    """
    return open_stored(path, DATA)
