"""Quantities of branches: how their training loss ends, beside where they began and beside each other."""

from collections.abc import Sequence

from sharpest.claims.files import RunFiles
from sharpest.claims.quantity import Quantity
from sharpest.claims.series import Number, UnmeasuredError


def _ends(files: RunFiles) -> tuple[float, float]:
    """Training loss at the first and at the last measured point."""
    spectra = files.spectra
    if spectra.diverged is not None:
        raise UnmeasuredError(spectra.divergence)
    loss = spectra["train_loss"]
    return float(loss[0]), float(loss[-1])


def _kept(files: RunFiles, facet: str) -> Number:
    first, last = _ends(files)
    return Number(last / first)


_SOURCE = "Song, Ahn and Yun, arXiv 2405.16002"

BRANCHES: Sequence[Quantity] = (
    Quantity(
        "loss_kept", "", "Training loss at the last measured point over that at the first.", _SOURCE, ("spectra",),
        _kept,
    ),
    Quantity(
        "last_loss_ratio", "", "Training loss at the last measured point, first runs over second.", _SOURCE,
        ("spectra",), lambda files, facet: Number(_ends(files)[1]), compare="ratio",
    ),
)  # fmt: skip
