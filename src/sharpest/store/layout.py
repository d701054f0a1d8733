"""What is in each kind of HDF5 file, described once; writer and reader check against it.

Letters: t measurements or snapshots, k eigenpairs, v measurements whose vectors are kept, p parameters, b buffer
values, d directions, m gradients, a alphas, g grid points, r refreshes of NSGD's directions, s running sums,
e end points (best, last), n training examples, x test examples, c channels, y height, w width. A starred p is p or 0.
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


# every file but data says where it comes from
_PROVENANCE = (
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

DATA = Layout(
    "data",
    1,
    (
        Dataset("train_inputs", "u1", ("n", "c", "y", "w"), "", "decoded training images in canonical order"),
        Dataset("train_targets", "i8", ("n",), "", "classes"),
        Dataset("test_inputs", "u1", ("x", "c", "y", "w"), "", "decoded test images in canonical order"),
        Dataset("test_targets", "i8", ("x",), "", "classes"),
    ),
    ("dataset", "sha256", "origin", "num_classes", "code", "created"),
)

SNAPSHOTS = Layout(
    "snapshots",
    1,
    (
        Dataset("iteration", "i8", ("t",), "updates", "completed updates"),
        Dataset("epoch", "f8", ("t",), "epochs", "iteration over steps per epoch"),
        Dataset("theta", "f4", ("t", "p"), "", "parameters, in the order of the attribute parameters"),
        Dataset("buffers", "f4", ("t", "b"), "", "buffers, in the order of the attribute buffer_names"),
        Dataset("velocity", "f4", ("t", "p*"), "", "velocity of momentum; no columns where there is none"),
        Dataset("solver_start", "f4", ("t", "p**"), "", "start of NSGD's next eigensolve; no columns for SGD"),
        Dataset("lr", "f8", ("t",), "", "learning rate of the next update"),
        Dataset("progress", "f8", ("t", "s"), "", "running sums and counters of the trainer, see attribute progress"),
        Dataset("refresh_iteration", "i8", ("r",), "updates", "when NSGD's directions were computed"),
        Dataset("eigenvalues", "f8", ("r", "k"), "nats", "of those directions; signed, largest first"),
        Dataset("residuals", "f8", ("r", "k"), "", "|Hv - lambda v| / |lambda_1|"),
        Dataset("converged", "?", ("r", "k"), "", "residual within the tolerance"),
        Dataset("hvps", "i8", ("r",), "", "Hessian-vector products"),
        Dataset("seconds", "f8", ("r",), "s", "time of the eigensolve"),
    ),
    ("run", "best", "last", "diverged", "stopped", "parameters", "buffer_names", "progress", "hessian", "measurement",
     "data_sha256", *_PROVENANCE),
)  # fmt: skip

SPECTRUM = Layout(
    "spectrum",
    1,
    (
        Dataset("iteration", "i8", ("t",), "updates", "completed updates at the measurement"),
        Dataset("epoch", "f8", ("t",), "epochs", "iteration over steps per epoch"),
        Dataset("eigenvalues", "f8", ("t", "k"), "nats", "the k largest in magnitude; signed, largest first"),
        Dataset("residuals", "f8", ("t", "k"), "", "|Hv - lambda v| / |lambda_1|"),
        Dataset("converged", "?", ("t", "k"), "", "residual within the tolerance"),
        Dataset("hvps", "i8", ("t",), "", "Hessian-vector products"),
        Dataset("seconds", "f8", ("t",), "s", "time of the eigensolve"),
        Dataset("train_loss", "f8", ("t",), "nats", "on clean training examples"),
        Dataset("train_accuracy", "f8", ("t",), "fraction", "on clean training examples"),
        Dataset("val_loss", "f8", ("t",), "nats", "on the validation examples"),
        Dataset("val_accuracy", "f8", ("t",), "fraction", "on the validation examples"),
        Dataset("vector_index", "i8", ("v",), "rows of t", "measurements whose vectors are kept"),
        Dataset("eigenvectors", "f4", ("v", "k", "p"), "", "unit rows"),
    ),
    ("run", "schedule", "examples", "tolerance", "hessian", "planned_points", "replays_checked", "replay_drift",
     *_PROVENANCE),
)  # fmt: skip

DIRECTIONS = Layout(
    "directions",
    1,
    (
        Dataset("iteration", "i8", ("t",), "updates", "completed updates at the measurement"),
        Dataset("epoch", "f8", ("t",), "epochs", "iteration over steps per epoch"),
        Dataset("direction", "i8", ("d",), "", "1-based eigenvector; 0 = the full step, -1 = a random unit vector"),
        Dataset("projection", "f8", ("t", "m", "d"), "", "<g_m, e_i>; |g_m| for the full step"),
        Dataset("gradient_norm", "f8", ("t", "m"), "", "|g_m|"),
        Dataset("alphas", "f8", ("a",), "", "multiples of the SGD step"),
        Dataset("loss", "f8", ("t",), "nats", "L(theta) on clean training examples"),
        Dataset("loss_change", "f8", ("t", "d", "a"), "nats",
                "mean over m of L(theta - alpha eta <g_m,e_i> e_i), minus L(theta)"),
        Dataset("grid", "f8", ("g",), "mean steps", "k"),
        Dataset("step_length", "f8", ("t", "d"), "", "eta times mean |<g_m, e_i>|"),
        Dataset("profile", "f8", ("t", "d", "g"), "nats",
                "L(theta + k step_length e_i); along the mean gradient for the full step"),
        Dataset("cosine", "f8", ("t", "d"), "", "mean over m of |cos(g_m, e_i)|"),
    ),
    ("run", "schedule", "lr", "measurement", "replays_checked", "replay_drift", *_PROVENANCE),
)  # fmt: skip

EVALUATION = Layout(
    "evaluation",
    1,
    (
        Dataset("iteration", "i8", ("e",), "updates", "snapshot of best validation accuracy, last snapshot"),
        Dataset("epoch", "f8", ("e",), "epochs", "iteration over steps per epoch"),
        Dataset("eigenvalues", "f8", ("e", "k"), "nats", "the k largest in magnitude; signed, largest first"),
        Dataset("residuals", "f8", ("e", "k"), "", "|Hv - lambda v| / |lambda_1|"),
        Dataset("converged", "?", ("e", "k"), "", "residual within the tolerance"),
        Dataset("frobenius", "f8", ("e",), "nats", "square root of the sum of the squared eigenvalues"),
        Dataset("test_accuracy", "f8", ("e",), "fraction", "on the test examples"),
        Dataset("train_loss", "f8", ("e",), "nats", "cross-entropy without L2 on clean training examples"),
        Dataset("distance", "f8", ("e",), "", "|theta - theta_0| over all parameters"),
    ),
    ("run", "examples", "tolerance", "early_epoch", "val_accuracy_early", "diverged", *_PROVENANCE),
)
