"""Quantities of the density of all eigenvalues at the last point of a run."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.files import RunFiles
from sharpest.claims.quantity import Quantity
from sharpest.claims.series import Number, UnmeasuredError
from sharpest.results.stored import Measured

_APART = 1 / 20  # of the largest eigenvalue: what is farther from zero is no bulk


def _density(files: RunFiles) -> Measured:
    density = files.measured("density")
    if density.diverged is not None:
        raise UnmeasuredError(density.divergence)
    return density


def _share(
    inside: Callable[[NDArray[np.float64]], NDArray[np.bool_]], counted: bool
) -> Callable[[RunFiles, str], Number]:
    """Share or number of the eigenvalues whose quotient by the largest is inside, with its error over the probes."""

    def read(files: RunFiles, facet: str) -> Number:
        density = _density(files)
        nodes, weights = density["nodes"][-1], density["weights"][-1]
        shares = (weights * inside(nodes / nodes.max())).sum(axis=1)
        count = files.spectra.num_parameters if counted else 1
        return Number(count * float(shares.mean()), count * float(shares.std(ddof=1) / np.sqrt(len(shares))))

    return read


def _negative(files: RunFiles, facet: str) -> Number:
    density = _density(files)
    return Number(float(max(0.0, -density["lambda_min"][-1]) / density["lambda_max"][-1]))


_SOURCE = "Ghorbani et al., ICML 2019"

DENSITIES: Sequence[Quantity] = (
    Quantity(
        "density_outliers", "", "Number of eigenvalues above a twentieth of the largest at the last point, by the "
        "density.", _SOURCE, ("density", "spectra"), _share(lambda ratio: ratio > _APART, counted=True),
    ),
    Quantity(
        "density_bulk", "", "Share of the eigenvalues within a twentieth of the largest from zero at the last point, "
        "by the density.", _SOURCE, ("density",), _share(lambda ratio: np.abs(ratio) <= _APART, counted=False),
    ),
    Quantity(
        "density_negative", "", "Magnitude of the lowest node of the density, 0 where it is positive, over the "
        "highest, at the last point.", _SOURCE, ("density",), _negative,
    ),
)  # fmt: skip
