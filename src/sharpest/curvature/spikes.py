"""Spikes of the loss when training continues under changed settings, compared with unchanged training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def spikes(loss: NDArray[np.float64], factor: float) -> dict[str, NDArray[Any]]:
    """Spikes and their aftermath, from the losses of several arms that start from one state.

    An arm diverges when its loss is no longer finite; its spike is then infinite. If the first arm diverges, there is
    nothing to compare with, and all spikes are NaN.

    Args:
        loss: (a, s), after 0, 1, ... updates of each arm; the first arm continues unchanged.
        factor: A spike above this value is a catapult.

    Returns:
        ``loss`` (a, s), NaN from the first non-finite loss on. The others are (a,): ``diverged``, the number of updates
        to that loss, -1 for none; ``spike``, the largest loss after an update over that of the first arm; ``catapult``,
        1, 0, or NaN where the spike is NaN; ``lasting``, the mean loss of the last quarter of the updates over that of
        the first arm; ``remaining``, that mean over the arm's own largest loss, NaN if the arm diverged.
    """
    nonfinite = ~np.isfinite(loss)
    diverged = np.where(nonfinite.any(axis=1), nonfinite.argmax(axis=1), -1)
    loss = np.where(np.maximum.accumulate(nonfinite, axis=1), np.nan, loss)
    quarter = -(-(loss.shape[1] - 1) // 4)
    highest, late = (
        np.where(diverged < 0, x, np.inf) for x in (loss[:, 1:].max(axis=1), loss[:, -quarter:].mean(axis=1))
    )
    with np.errstate(invalid="ignore"):  # infinity over infinity
        spike, lasting, remaining = highest / highest[0], late / late[0], late / highest
    if diverged[0] >= 0:
        spike, lasting = np.full_like(spike, np.nan), np.full_like(lasting, np.nan)
    catapult = np.where(np.isnan(spike), np.nan, spike > factor)
    values = {"spike": spike, "catapult": catapult, "lasting": lasting, "remaining": remaining}
    return {"loss": loss, "diverged": diverged, **values}
