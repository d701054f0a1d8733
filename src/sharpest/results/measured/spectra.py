"""Leading eigenpairs along training."""

from sharpest.results.layout import Dataset, measured_layout

SPECTRA = measured_layout(
    "spectra",
    4,
    Dataset("eigenvalues", "f8", ("t", "k"), "nats", "the k largest in magnitude; signed, largest first"),
    Dataset("residuals", "f8", ("t", "k"), "", "|Hv - lambda v| / |lambda_1|"),
    Dataset("converged", "?", ("t", "k"), "", "residual within the tolerance and no larger one missing"),
    Dataset("hvps", "i8", ("t",), "", "Hessian-vector products"),
    Dataset("seconds", "f8", ("t",), "s", "time of the eigensolve"),
    Dataset("train_loss", "f8", ("t",), "nats", "on clean training examples"),
    Dataset("train_accuracy", "f8", ("t",), "fraction", "on clean training examples"),
    Dataset("val_loss", "f8", ("t",), "nats", "on the validation examples"),
    Dataset("val_accuracy", "f8", ("t",), "fraction", "on the validation examples"),
    Dataset("vector_index", "i8", ("v",), "rows of t", "measurements whose vectors are kept"),
    Dataset("eigenvectors", "f4", ("v", "k", "p"), "", "unit rows"),
)
