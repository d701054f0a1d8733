"""Quantities of the spectral density at the last point of a run."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.files import RunFiles
from sharpest.claims.quantity import Quantity
from sharpest.claims.series import Number, UnmeasuredError
from sharpest.results.stored import Measured

_BULK_WIDTH = 1 / 20  # the bulk lies within this fraction of the largest eigenvalue around zero


def _density(files: RunFiles) -> Measured:
    density = files.measured("density")
    if density.diverged is not None:
        raise UnmeasuredError(density.divergence)
    return density


def _mass(
    inside: Callable[[NDArray[np.float64]], NDArray[np.bool_]], as_count: bool
) -> Callable[[RunFiles, str], Number]:
    """Mean and standard error, over the probes, of the fraction or count of eigenvalues in a region.

    Args:
        inside: Whether a ratio to the largest eigenvalue lies in the region.
        as_count: Count eigenvalues instead of their fraction.
    """

    def read(files: RunFiles, facet: str) -> Number:
        density = _density(files)
        nodes, weights = density["nodes"][-1], density["weights"][-1]
        fractions = (weights * inside(nodes / nodes.max())).sum(axis=1)
        scale = files.spectra.num_parameters if as_count else 1
        return Number(scale * float(fractions.mean()), scale * float(fractions.std(ddof=1) / np.sqrt(len(fractions))))

    return read


def _negative(files: RunFiles, facet: str) -> Number:
    density = _density(files)
    return Number(float(max(0.0, -density["lambda_min"][-1]) / density["lambda_max"][-1]))


_SOURCE = "Ghorbani et al., ICML 2019"

DENSITIES: Sequence[Quantity] = (
    Quantity(
        "density_outliers", "", "Number of eigenvalues above a twentieth of the largest one at the last point, from "
        "the density.", _SOURCE, ("density", "spectra"), _mass(lambda ratio: ratio > _BULK_WIDTH, as_count=True),
    ),
    Quantity(
        "density_bulk", "", "Fraction of the eigenvalues whose magnitude is at most a twentieth of the largest one at "
        "the last point, from the density.", _SOURCE, ("density",),
        _mass(lambda ratio: np.abs(ratio) <= _BULK_WIDTH, as_count=False),
    ),
    Quantity(
        "density_negative", "", "Magnitude of the lowest node of the density over the highest node, at the last point; "
        "0 if the lowest node is positive.", _SOURCE, ("density",), _negative,
    ),
)  # fmt: skip
