"""Quantities of the loss of a full-batch run after every update, before and after its curvature crosses the edge."""

from collections.abc import Callable, Sequence

import numpy as np

from sharpest.claims.files import RunFiles
from sharpest.claims.quantity import Quantity
from sharpest.claims.series import Number, Series, UnmeasuredError
from sharpest.claims.shapes import mean
from sharpest.results.crossing import edge_of, first_crossing


def _crossing(files: RunFiles) -> int | None:
    spectra = files.spectra
    if spectra.diverged is not None:
        raise UnmeasuredError(spectra.divergence)
    if (optimizer := spectra.attributes["config"]["run"].get("optimizer", "sgd")) != "sgd":
        raise UnmeasuredError(f"the edge of {optimizer} bounds the preconditioned curvature, not these eigenvalues")
    return first_crossing(spectra.iteration, spectra.lambda_max, edge_of(spectra))


def _first_crossing(files: RunFiles, facet: str) -> Number:
    crossing = _crossing(files)
    if crossing is None:
        raise UnmeasuredError("the largest eigenvalue never exceeds the edge")
    return Number(float(crossing))


def _rising(after: bool) -> Callable[[RunFiles, str], Series]:
    """1 for each update that raises the loss, 0 for each other update."""

    def read(files: RunFiles, facet: str) -> Series:
        crossing, snapshots = _crossing(files), files.snapshots
        update = snapshots.iteration[0] + np.arange(1, len(snapshots.update_loss))
        rises = (np.diff(snapshots.update_loss) > 0).astype(float)
        last = np.inf if crossing is None else crossing
        counted = update > last if after else update <= last
        if not counted.any():
            raise UnmeasuredError(f"no update {'after' if after else 'before'} the crossing of the edge")
        return Series(update[counted].astype(float), rises[counted, None])

    return read


_SOURCE = "Cohen et al., ICLR 2021"
_NEEDS = ("snapshots", "spectra")

UPDATES: Sequence[Quantity] = (
    Quantity(
        "first_crossing", "iterations", "First measured iteration at which the largest eigenvalue exceeds the edge of "
        "the run's optimizer: 2/η for gradient descent, 2 (1 + m)/η with momentum m, 2 (1 + m)/(η (1 + 2 m)) with "
        "Nesterov momentum.", _SOURCE, _NEEDS[1:], _first_crossing,
    ),
    Quantity(
        "rising_updates_before_edge", "", "Fraction of the updates of a full-batch run that raise its loss, up to that "
        "iteration; of all updates if the edge is never exceeded.", _SOURCE, _NEEDS, _rising(after=False), mean,
        full_batch=True,
    ),
    Quantity(
        "rising_updates_after_edge", "", "The same after that iteration.", _SOURCE, _NEEDS, _rising(after=True),
        mean, full_batch=True,
    ),
)  # fmt: skip
