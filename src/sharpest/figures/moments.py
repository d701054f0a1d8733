"""Moments of a run, as rows of its measurements."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sharpest.config.studies.moments import Moment, moment_name


def row_at(moment: Moment, epoch: NDArray[np.float64], lambda_max: NDArray[np.float64]) -> int:
    """The row closest to a moment.

    Args:
        moment: The moment.
        epoch: Epochs of the measurements (t,), increasing, at least one.
        lambda_max: Largest eigenvalues (t,), finite.
    """
    if moment == "peak":
        return int(lambda_max.argmax())
    fraction = {"start": 0.0, "end": 1.0}[moment] if isinstance(moment, str) else moment
    return int(np.abs(epoch - (epoch[0] + fraction * (epoch[-1] - epoch[0]))).argmin())


def moment_label(moment: Moment, epochs: Sequence[float]) -> str:
    """The name of a moment with its epoch, or the range of epochs if seeds differ.

    Args:
        moment: The moment.
        epochs: Its epoch in each seed that has it.
    """
    shown = list(dict.fromkeys(f"{epoch:.3g}" for epoch in sorted(epochs)))
    if not shown:
        return moment_name(moment)
    when = f"epoch {shown[0]}" if len(shown) == 1 else f"epochs {shown[0]} to {shown[-1]}"
    return f"{moment_name(moment)} ({when})"
