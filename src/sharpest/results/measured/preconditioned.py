"""Leading eigenvalue of the preconditioned Hessian along training."""

from sharpest.results.layout import Dataset, measured_layout

PRECONDITIONED = measured_layout(
    "preconditioned",
    1,
    Dataset("eigenvalues", "f8", ("t", "k"), "", "of P^-1/2 H P^-1/2, the k largest in magnitude; largest first"),
    Dataset("residuals", "f8", ("t", "k"), "", "of these, in parts of the largest magnitude"),
    Dataset("converged", "?", ("t", "k"), "", "residual within the tolerance"),
    Dataset("hvps", "i8", ("t",), "", "Hessian-vector products"),
    Dataset("seconds", "f8", ("t",), "s", "time of the eigensolve"),
)
