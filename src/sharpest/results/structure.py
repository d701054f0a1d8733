"""Check that an HDF5 file has the structure of its layout, and that all of its content is in the file itself.

A checksum shows that a file is as it was written, but not who wrote it: a file from elsewhere may lead to other files,
or promise more than it holds.
"""

from collections.abc import Mapping

import h5py
import numpy as np

from sharpest.results.layout import Layout


def check_shapes(layout: Layout, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check the shapes of arrays, by name.

    Raises:
        ValueError: If one has another number of dimensions, or two differ in a dimension that they share.
    """
    sizes: dict[str, int] = {}
    for dataset in layout.datasets:
        shape = shapes[dataset.name]
        if len(shape) != len(dataset.dims):
            raise ValueError(f"{dataset.name} has shape {shape}, expected dimensions ({', '.join(dataset.dims)})")
        for letter, size in zip(dataset.dims, shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ValueError(f"{dataset.name} has {letter} = {size}, other arrays have {sizes[letter]}")


def check_structure(file: h5py.Group, layout: Layout) -> None:
    """Check layout, version, arrays and names of attributes; no array is read.

    Raises:
        ValueError: For the first mismatch.
    """
    name, version = file.attrs.get("layout"), file.attrs.get("version")
    if name != layout.name:
        raise ValueError(f"holds the layout {name!r}, not {layout.name!r}")
    if version != layout.version:
        age = "a newer" if version > layout.version else "an older"
        raise ValueError(
            f"was written by {age} version of the code: {layout.name} version {version}, this one reads "
            f"{layout.version}"
        )
    _check_members(file, layout)
    for dataset in layout.datasets:
        if file[dataset.name].dtype != np.dtype(dataset.dtype):
            raise ValueError(f"{dataset.name} has type {file[dataset.name].dtype}, expected {dataset.dtype}")
    check_shapes(layout, {dataset.name: file[dataset.name].shape for dataset in layout.datasets})


def _check_members(file: h5py.Group, layout: Layout) -> None:
    """Check that the arrays are those of the layout, and lie in the file with as many bytes as their shapes need."""
    links = {name: file.get(name, getlink=True) for name in file}
    if elsewhere := [name for name, link in links.items() if not isinstance(link, h5py.HardLink)]:
        raise ValueError(f"{elsewhere[0]!r} is a link, not an array")
    missing = [each.name for each in layout.datasets if not isinstance(file.get(each.name), h5py.Dataset)]
    missing += [name for name in layout.attributes if name not in file.attrs]
    if missing:
        raise ValueError(f"lacks {', '.join(missing)}")
    if unknown := links.keys() - {each.name for each in layout.datasets}:
        raise ValueError(f"has an unknown array {min(unknown)!r}")
    for name in links:
        array = file[name]
        if array.is_virtual or array.external or array.id.get_storage_size() < array.nbytes:
            raise ValueError(f"{name} has {array.nbytes:,} bytes, which are not in the file")
