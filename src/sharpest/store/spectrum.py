"""Eigenpairs of the Hessian along a run."""

from sharpest.store.layout import PROVENANCE, Dataset, Layout

SPECTRUM = Layout(
    "spectrum",
    2,
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
    ("run", "schedule", "examples", "tolerance", "hessian", "mode", "diverged_epoch", "planned_points",
     "replays_checked", "replay_drift", *PROVENANCE),
)  # fmt: skip
