"""Quantities of branches: the final training loss, relative to the loss at the start or to that of another branch."""

from collections.abc import Sequence

from sharpest.claims.files import RunFiles
from sharpest.claims.quantity import Quantity
from sharpest.claims.series import Number, UnmeasuredError


def _first_and_last_loss(files: RunFiles) -> tuple[float, float]:
    """Training loss at the first and the last measured point."""
    spectra = files.spectra
    if spectra.diverged is not None:
        raise UnmeasuredError(spectra.divergence)
    loss = spectra["train_loss"]
    return float(loss[0]), float(loss[-1])


def _loss_kept(files: RunFiles, facet: str) -> Number:
    first, last = _first_and_last_loss(files)
    return Number(last / first)


_SOURCE = "Song, Ahn and Yun, arXiv 2405.16002"

BRANCHES: Sequence[Quantity] = (
    Quantity(
        "loss_kept", "", "Training loss at the last measured point over that at the first.", _SOURCE, ("spectra",),
        _loss_kept,
    ),
    Quantity(
        "last_loss_ratio", "", "Training loss at the last measured point, first runs over second.", _SOURCE,
        ("spectra",), lambda files, facet: Number(_first_and_last_loss(files)[1]), compare="ratio",
    ),
)  # fmt: skip
