"""Combined files of several kinds of results: each is a group named after its layout, and is read like a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py

from sharpest.results.checksum import USER_BLOCK, seal
from sharpest.results.file import TOGETHER, StoredWriter
from sharpest.results.layout import Layout
from sharpest.results.whole import written_whole

Part = tuple[Layout, Mapping[str, Any], Mapping[str, Any]]
"""A layout, its arrays, its attributes."""


def write_together(path: str | Path, parts: Sequence[Part]) -> None:
    """Write a combined file atomically. Rows of its arrays must be shorter than a megabyte.

    Args:
        path: The file to write.
        parts: Layout, arrays and attributes of each kind, as for ``write_stored``.

    Raises:
        ValueError: If an array or attribute is missing, unknown, or does not fit its layout.
        StoreError: If the file cannot be written.
    """
    with written_whole(path) as temporary:
        with open(temporary, "w+b") as stream, h5py.File(stream, "w", userblock_size=USER_BLOCK) as file:
            file.attrs["layout"], file.attrs["version"] = TOGETHER, 1
            for layout, arrays, attributes in parts:
                StoredWriter(file.create_group(layout.name), layout).complete(arrays, attributes)
        seal(temporary)
