"""End points of a run."""

from sharpest.store.layout import PROVENANCE, Dataset, Layout

EVALUATION = Layout(
    "evaluation",
    3,
    (
        Dataset("iteration", "i8", ("e",), "updates", "snapshot of best validation accuracy, last snapshot"),
        Dataset("epoch", "f8", ("e",), "epochs", "iteration over steps per epoch"),
        Dataset("eigenvalues", "f8", ("e", "k"), "nats", "the k largest in magnitude; signed, largest first"),
        Dataset("residuals", "f8", ("e", "k"), "", "|Hv - lambda v| / |lambda_1|"),
        Dataset("converged", "?", ("e", "k"), "", "residual within the tolerance"),
        Dataset("spectral_norm", "f8", ("e",), "nats", "largest magnitude of an eigenvalue"),
        Dataset("frobenius", "f8", ("e",), "nats", "square root of the sum of the squared eigenvalues"),
        Dataset("frobenius_probe", "f8", ("e",), "nats", "of all eigenvalues, by Hutchinson++ on the square"),
        Dataset("frobenius_probe_error", "f8", ("e",), "nats", "its standard error"),
        Dataset("test_accuracy", "f8", ("e",), "fraction", "on the test examples"),
        Dataset("train_loss", "f8", ("e",), "nats", "cross-entropy without L2 on clean training examples"),
        Dataset("distance", "f8", ("e",), "", "|theta - theta_0| over all parameters"),
    ),
    ("run", "examples", "num_probes", "tolerance", "mode", "early_epoch", "val_accuracy_early", "best_epoch",
     "diverged_epoch", "epoch_seconds", *PROVENANCE),
)  # fmt: skip
