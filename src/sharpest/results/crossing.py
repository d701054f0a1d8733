"""The edge of stability of a measured run, and when its curvature crosses it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.edge import adam_edge, edge
from sharpest.results.stored import Measured


def edge_of(measured: Measured) -> float:
    """The edge of stability of the run's optimizer at its first learning rate.

    ``sharpest.edge.edge`` for SGD; for adaptive optimizers ``sharpest.edge.adam_edge``, the edge of preconditioned
    curvature.
    """
    run = measured.attributes["config"]["run"]
    if run.get("optimizer", "sgd") != "sgd":  # older files name no optimizer: it was SGD
        return adam_edge(measured.lr, run["beta1"], run["weight_decay"])
    return edge(measured.lr, run["momentum"], run["nesterov"])


def first_crossing(iteration: NDArray[np.int64], curvature: NDArray[np.float64], threshold: float) -> int | None:
    """The first iteration at which the curvature exceeds its edge; None if it never does.

    Args:
        iteration: (t,).
        curvature: (t,), NaN where not measured.
        threshold: The edge.
    """
    above: NDArray[Any] = iteration[curvature > threshold]
    return int(above[0]) if len(above) else None
