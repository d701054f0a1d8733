"""Spikes of the loss where training goes on under changed settings, beside training that goes on unchanged."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def spikes(loss: NDArray[np.float64], factor: float) -> dict[str, NDArray[Any]]:
    """What is read off the losses of several arms from one state.

    An arm diverges where its loss is no longer finite. Its spike is infinite; where the first arm diverges, there is
    nothing to compare with, and all spikes are NaN.

    Args:
        loss: (a, s), after 0, 1, ... updates of each arm, the first of which goes on unchanged.
        factor: A spike above it is a catapult.

    Returns:
        ``loss`` (a, s), NaN from a loss that is not finite on. And (a,) each: ``diverged``, the number of updates to
        that loss, -1 for none; ``spike``, the largest loss after an update over that of the first arm; ``catapult``, 1,
        0, or NaN where the spike is; ``lasting``, the mean loss of the last quarter of the updates over that of the
        first arm; ``remaining``, that mean over the arm's own largest loss, NaN where it diverged.
    """
    bad = ~np.isfinite(loss)
    diverged = np.where(bad.any(axis=1), bad.argmax(axis=1), -1)
    loss = np.where(np.maximum.accumulate(bad, axis=1), np.nan, loss)
    quarter = -(-(loss.shape[1] - 1) // 4)
    highest, late = (
        np.where(diverged < 0, x, np.inf) for x in (loss[:, 1:].max(axis=1), loss[:, -quarter:].mean(axis=1))
    )
    with np.errstate(invalid="ignore"):  # of infinities
        spike, lasting, remaining = highest / highest[0], late / late[0], late / highest
    if diverged[0] >= 0:
        spike, lasting = np.full_like(spike, np.nan), np.full_like(lasting, np.nan)
    catapult = np.where(np.isnan(spike), np.nan, spike > factor)
    values = {"spike": spike, "catapult": catapult, "lasting": lasting, "remaining": remaining}
    return {"loss": loss, "diverged": diverged, **values}
