"""What is in each kind of HDF5 file, described once; writer and reader check against it.

Letters: t measurements or snapshots, k eigenpairs, v measurements whose vectors are kept, p parameters, b buffer
values, d directions, m gradients or updates, a alphas, g grid points, r refreshes of the directions of training, q
directions used, s running sums or states of a descent, h epochs trained, u updates of a full-batch run and its start, n
training examples, x test examples, c channels or learning rates, y height, w width, o random probes, l Lanczos steps. A
starred letter is that number or 0.
In a text n, v and x count training, validation and test tokens; i and j are the tokens of all training and all test
reviews. In a gradient sample m and n count mini-batches, j those with products of the full Hessian, c eigenvalues of
the gradients' covariance.
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


# where a file comes from: the attributes of sharpest.pipeline.provenance
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
"""Attribute of a file that was made from others: their digests, by their place in the folder of the scale."""

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
    """The layout of a measure's files: its own arrays behind the points at which it was taken.

    Args:
        name: That of the measure.
        version: Raised when the meaning of an array changes.
        datasets: An array whose first dimension is t has a row for each point; v, one for each point whose vectors
            are kept, as ``vector_index`` says; any other is the same at all points.
    """
    return Layout(name, version, (*_POINTS, *datasets), MEASURED)
