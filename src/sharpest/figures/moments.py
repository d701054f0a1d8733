"""Chosen moments of a run, as rows of what was measured."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sharpest.config.studies.moments import Moment, moment_name


def row_at(moment: Moment, epoch: NDArray[np.float64], lambda_max: NDArray[np.float64]) -> int:
    """The row of a moment.

    Args:
        moment: Which.
        epoch: (t,), increasing, at least one.
        lambda_max: (t,), finite.
    """
    if moment == "peak":
        return int(lambda_max.argmax())
    share = {"start": 0.0, "end": 1.0}[moment] if isinstance(moment, str) else moment
    return int(np.abs(epoch - (epoch[0] + share * (epoch[-1] - epoch[0]))).argmin())


def moment_label(moment: Moment, epochs: Sequence[float]) -> str:
    """Its name with the epoch, or the range of epochs where seeds differ.

    Args:
        moment: Which.
        epochs: Of each seed that has it.
    """
    shown = list(dict.fromkeys(f"{epoch:.3g}" for epoch in sorted(epochs)))
    if not shown:
        return moment_name(moment)
    when = f"epoch {shown[0]}" if len(shown) == 1 else f"epochs {shown[0]} to {shown[-1]}"
    return f"{moment_name(moment)} ({when})"
