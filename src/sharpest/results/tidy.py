"""A measured array as columns with one row per value, each with what describes its run."""

from typing import Any

import numpy as np

from sharpest.errors import StoreError
from sharpest.results.stored import Measured

_TIMES = ("iteration", "epoch")


def tidy_columns(measured: Measured, array: str | None = None) -> dict[str, Any]:
    """The columns of ``Results.to_frame`` for one file.

    Args:
        measured: The file.
        array: An array with at most one dimension besides the points; None = see ``Results.to_frame``.

    Raises:
        StoreError: If there is no such array.
    """
    fitting = [
        dataset.name
        for dataset in measured.datasets
        if dataset.dims[0] == "t" and len(dataset.dims) < 3 and dataset.name not in _TIMES and not dataset.is_large
    ]
    name = array or next((name for name in ("eigenvalues", measured.kind) if name in fitting), None)
    if name not in fitting:
        raise StoreError(
            f"{measured.path}: name an array with a value or a list of values for each point, not {name!r}: "
            f"{', '.join(fitting) or 'it has none'}; others are in to_xarray"
        )
    values = measured[name].reshape(len(measured.iteration), -1)
    points, width = values.shape
    net, data, optimizer = measured.run.split("-")[:3]
    return {
        "run": np.full(values.size, measured.run, object),
        "net": net,
        "data": data,
        "optimizer": optimizer,
        "lr": measured.lr,
        "momentum": measured.attributes["config"]["run"]["momentum"],
        "schedule": measured.attributes["schedule"],
        **{time: np.repeat(measured[time], width) for time in _TIMES},
        "index": np.tile(np.arange(width), points),
        "value": values.ravel(),
    }
