"""Decoded text."""

from contextlib import AbstractContextManager
from pathlib import Path

from sharpest.results.data import DATA
from sharpest.results.file import StoredFile, open_stored
from sharpest.results.layout import Dataset, Layout

TOKENS = Layout(
    "tokens",
    2,
    (
        Dataset("train", "i4", ("n",), "", "training text as ids of tokens, 0 the most frequent"),
        Dataset("val", "i4", ("v",), "", "validation text as ids of tokens"),
        Dataset("test", "i4", ("x",), "", "test text as ids of tokens"),
    ),
    DATA.attributes,  # the classes are the token types
)


def open_tokens(path: str | Path) -> AbstractContextManager[StoredFile]:
    """Open decoded text for reading.

    Raises:
        StoreError: See ``open_stored``.
    """
    return open_stored(path, TOKENS)
