"""Copies of results files without states, eigenvectors and examples: what figures are drawn from, and little more.

A copy has the layout of its original, with arrays of no rows or no columns where something is left out, and goes by
the digest of the original: whatever was made from the one was made from the other.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sharpest.errors import StoreError
from sharpest.results.file import create_stored, open_stored
from sharpest.results.layout import Layout
from sharpest.results.whole import seal

LEFT_OUT = "left_out"
"""Attribute of an abridged file: names of the arrays whose content it leaves out."""


def abridge(source: Path, layout: Layout, target: Path, everything: bool = False) -> bool:
    """Write a copy of a file without its arrays of parameters and buffers; attributes and all other arrays stay.

    A vector that was kept beside the points (eigenvectors, v) is left out as if it had not been kept. Of arrays with a
    row for each snapshot (states, t) no columns are left.

    Args:
        source: The file.
        layout: Its kind.
        target: The copy; it is not written where nothing would be left out.
        everything: Leave out every array, and keep attributes alone.

    Returns:
        Whether the copy was written.

    Raises:
        StoreError: If the file is damaged, or the copy cannot be written.
    """
    with open_stored(source, layout) as file:
        large = [dataset for dataset in layout.datasets if everything or dataset.is_large]
        empty = {letter for dataset in large for letter in _cut(dataset.dims)}
        shapes = {dataset.name: file.shape(dataset.name) for dataset in layout.datasets}
        left_out = [each.name for each in layout.datasets if empty & set(each.dims) and 0 not in shapes[each.name]]
        if not left_out:
            return False
        arrays = {each.name: file[each.name] for each in layout.datasets if not empty & set(each.dims)}
        for each in layout.datasets:
            if each.name not in arrays:
                sizes = zip(each.dims, shapes[each.name], strict=True)
                arrays[each.name] = np.zeros([0 if letter in empty else size for letter, size in sizes], each.dtype)
        attributes = {name: file.attributes[name] for name in layout.attributes}
    with create_stored(target, replace(layout, attributes=(*layout.attributes, LEFT_OUT))) as copy:
        copy.complete(arrays, {**attributes, LEFT_OUT: left_out})
    seal(target, file.digest)
    return True


def _cut(dims: tuple[str, ...]) -> tuple[str, ...]:
    """The dimensions of an array that are left without an entry."""
    return tuple(letter for letter in dims if letter[0] in "pb") if dims[0] == "t" else dims[:1]


def check_unabridged(path: Path, attributes: Mapping[str, Any]) -> None:
    """Check that nothing was left out of a file.

    Raises:
        StoreError: If it is an abridged copy.
    """
    if LEFT_OUT in attributes:
        raise StoreError(
            f"{path}: came in a bundle, without {', '.join(attributes[LEFT_OUT])}; open it where it was made"
        )
