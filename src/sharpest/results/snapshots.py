"""States of a run."""

from typing import Any

from numpy.typing import NDArray

from sharpest.results.file import StoredFile
from sharpest.results.layout import MADE_FROM, PROVENANCE, Dataset, Layout

# everything that training needs to resume from a snapshot
STATE = (
    Dataset("iteration", "i8", ("t",), "updates", "completed updates"),
    Dataset("theta", "f4", ("t", "p"), "", "parameters, in the order of the attribute parameters"),
    Dataset("buffers", "f4", ("t", "b"), "", "running averages and carried state, in the order of buffer_names"),
    Dataset("velocity", "f4", ("t", "p*"), "", "of momentum, or Adam's first moment; no columns where there is none"),
    Dataset("second_moment", "f4", ("t", "p*****"), "", "of Adam's kind, biased; no columns where there is none"),
    Dataset("solver_start", "f4", ("t", "p**"), "", "start of the next eigensolve; no columns where there is none"),
    Dataset("directions", "f4", ("t", "q*", "p***"), "", "directions in force; none where they are computed next"),
    Dataset("lr", "f8", ("t",), "", "learning rate of the next update"),
    Dataset("progress", "f8", ("t", "s"), "", "running sums and counters of the trainer, see attribute progress"),
)

SNAPSHOTS = Layout(
    "snapshots",
    5,
    (
        *STATE,
        Dataset("epoch", "f8", ("t",), "epochs", "iteration over steps per epoch"),
        Dataset("epoch_seconds", "f8", ("h",), "s", "wall time of each trained epoch"),
        Dataset("update_loss", "f8", ("u",), "nats", "of a full batch as trained on: at the start, after each update"),
        Dataset("refresh_iteration", "i8", ("r",), "updates", "when the run computed its directions"),
        Dataset("eigenvalues", "f8", ("r", "k"), "nats", "of those directions; signed, largest first"),
        Dataset("residuals", "f8", ("r", "k"), "", "|Hv - lambda v| / |lambda_1|"),
        Dataset("converged", "?", ("r", "k"), "", "residual within the tolerance and no larger one missing"),
        Dataset("hvps", "i8", ("r",), "", "Hessian-vector products"),
        Dataset("seconds", "f8", ("r",), "s", "time of the eigensolve"),
        Dataset("refresh_loss", "f8", ("r",), "nats", "loss without L2 on clean training examples"),
        Dataset("eigenvectors", "f4", ("r*", "k*", "p****"), "", "unit rows; none where they are not kept"),
    ),
    ("run", "best", "last", "diverged", "stopped", "clipped", "parameters", "buffer_names", "progress", "hessian",
     MADE_FROM, *PROVENANCE),
)  # fmt: skip


def state_at(file: StoredFile, row: int) -> dict[str, NDArray[Any]]:
    """Everything that training needs to resume from a row of the open file, by name."""
    return {dataset.name: file.row(dataset.name, row) for dataset in STATE}
