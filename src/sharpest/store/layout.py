"""What is in each kind of HDF5 file, described once; writer and reader check against it.

Letters: t measurements or snapshots, k eigenpairs, v measurements whose vectors are kept, p parameters, b buffer
values, d directions, m gradients, a alphas, g grid points, r refreshes of the directions of training, q directions
used, s running sums, h epochs trained, e end points (best, last), n training examples, x test examples, c channels,
y height, w width. A starred letter is that number or 0.
In a text n, v and x count training, validation and test tokens; i and j are the tokens of all training and all test
reviews.
Not measured is NaN.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Dataset:
    """One array: name, dtype, dimensions by letter, unit, meaning."""

    name: str
    dtype: str
    dims: tuple[str, ...]
    unit: str
    meaning: str


@dataclass(frozen=True)
class Layout:
    """One kind of file. A changed meaning raises the version; readers refuse versions they do not know."""

    name: str
    version: int
    datasets: tuple[Dataset, ...]
    attributes: tuple[str, ...]


# where a measured file comes from: the attributes of sharpest.provenance
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
