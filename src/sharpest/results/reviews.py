"""Decoded reviews of different lengths, concatenated."""

from contextlib import AbstractContextManager
from pathlib import Path

from sharpest.results.data import DATA
from sharpest.results.file import StoredFile, open_stored
from sharpest.results.layout import Dataset, Layout

REVIEWS = Layout(
    "reviews",
    2,
    (
        Dataset("train_tokens", "i4", ("i",), "", "training reviews in canonical order, as ids of tokens"),
        Dataset("train_offsets", "i8", ("n+1",), "", "where each training review starts; last, where they end"),
        Dataset("train_targets", "i8", ("n",), "", "classes"),
        Dataset("test_tokens", "i4", ("j",), "", "test reviews in canonical order, as ids of tokens"),
        Dataset("test_offsets", "i8", ("x+1",), "", "where each test review starts; last, where they end"),
        Dataset("test_targets", "i8", ("x",), "", "classes"),
    ),
    DATA.attributes,
)


def open_reviews(path: str | Path) -> AbstractContextManager[StoredFile]:
    """Open decoded reviews for reading.

    Raises:
        StoreError: See ``open_stored``.
    """
    return open_stored(path, REVIEWS)
