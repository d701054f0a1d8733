"""End points of a run."""

from sharpest.store.layout import PROVENANCE, Dataset, Layout

EVALUATION = Layout(
    "evaluation",
    2,
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
    ("run", "examples", "tolerance", "mode", "early_epoch", "val_accuracy_early", "diverged", *PROVENANCE),
)
