"""The content of each kind of HDF5 file, defined once; writers and readers check against it.

Dimensions: t measurements or snapshots, k eigenpairs, v measurements whose vectors are kept, p parameters, b buffer
values, d directions, m gradients or updates, a alphas, g grid points, r refreshes of the directions during training, q
directions in use, s running sums or states of a descent, h epochs trained, u the start and the updates of a full-batch
run, n training examples, x test examples, c channels or learning rates, y height, w width, o random probes, l Lanczos
steps. A starred letter means that number or 0.
In a text, n, v and x count training, validation and test tokens; i and j count the tokens of all training and all test
reviews. In a gradient sample, m and n count mini-batches, j those with products of the full Hessian, c eigenvalues of
the gradients' covariance. In interventions, a counts arms, and s the losses before and after each update.
Values that were not measured are NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import h5py
import numpy as np


@dataclass(frozen=True)
class Dataset:
    """One array: name, dtype, dimensions by letter, unit, meaning."""

    name: str
    dtype: str
    dims: tuple[str, ...]
    unit: str
    meaning: str

    @property
    def is_large(self) -> bool:
        """Whether parameters or buffer values are one of its dimensions."""
        return any(letter[0] in "pb" for letter in self.dims)


@dataclass(frozen=True)
class Layout:
    """One kind of file. A change of meaning raises the version; readers refuse versions they do not know."""

    name: str
    version: int
    datasets: tuple[Dataset, ...]
    attributes: tuple[str, ...]


# the origin of a file: the attributes of sharpest.pipeline.provenance
PROVENANCE = (
    "scale",
    "config",
    "dataset",
    "reductions",
    "code",
    "git",
    "packages",
    "device",
    "torch_threads",
    "created",
)

MADE_FROM = "made_from"
"""Attribute with the digests of a file's sources, by path relative to the folder of the scale."""

# the attributes of a file that a measure wrote
MEASURED = (
    "run", "schedule", "lr", "mode", "settings", "hessian", "diverged_epoch", "planned_points", "replays_checked",
    "replay_drift", MADE_FROM, *PROVENANCE,
)  # fmt: skip

_POINTS = (
    Dataset("iteration", "i8", ("t",), "updates", "completed updates at the measurement"),
    Dataset("epoch", "f8", ("t",), "epochs", "iteration over steps per epoch"),
)


def measured_layout(name: str, version: int, *datasets: Dataset) -> Layout:
    """The layout of a measure's files: the points at which it was taken, then its own arrays.

    Args:
        name: Name of the measure.
        version: Raised when the meaning of an array changes.
        datasets: Arrays of the measure. If the first dimension is t, an array has a row for each point; if v, a row for
            each point whose vectors are kept, listed in ``vector_index``; otherwise it is the same at all points.
    """
    return Layout(name, version, (*_POINTS, *datasets), MEASURED)


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
