"""Preconditioned curvature of adaptive optimizers along training."""

from sharpest.results.layout import Dataset, measured_layout

FLOOR = 10  # eps; a root of v below this many is at the floor

PRECONDITIONED = measured_layout(
    "preconditioned",
    1,
    Dataset("preconditioned_sharpness", "f8", ("t",), "", "largest signed eigenvalue of P^-1/2 H P^-1/2"),
    Dataset("eigenvalues", "f8", ("t", "k"), "", "of P^-1/2 H P^-1/2, the k largest in magnitude; largest first"),
    Dataset("residuals", "f8", ("t", "k"), "", "|Av - lambda v| / |lambda_1|, with A = P^-1/2 H P^-1/2"),
    Dataset("converged", "?", ("t", "k"), "", "residual within the tolerance and no larger one missing"),
    Dataset("products", "i8", ("t",), "", "Hessian-vector products"),
    Dataset(
        "floor_share", "f8", ("t",), "",
        f"share of |e_1|^2 where the root of v without bias is below {FLOOR} eps: there eps decides the eigenvalue",
    ),
)  # fmt: skip
