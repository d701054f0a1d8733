"""States of a run."""

from sharpest.store.layout import PROVENANCE, Dataset, Layout

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
     "data_sha256", *PROVENANCE),
)  # fmt: skip
