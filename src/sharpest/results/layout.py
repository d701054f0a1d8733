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

from dataclasses import dataclass


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
