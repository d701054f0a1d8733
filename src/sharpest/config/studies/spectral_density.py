"""Density of all eigenvalues at chosen moments of training."""

from typing import ClassVar, Literal

from pydantic import Field, PositiveFloat

from sharpest.config.studies.base import Curve, Study
from sharpest.config.studies.moments import Moment


class SpectralDensity(Study):
    """Density of all eigenvalues at chosen moments of training, one panel per run."""

    always_reads: ClassVar[tuple[str, ...]] = ("density", "spectra")
    kind: Literal["spectral_density"]
    panels: tuple[Curve, ...] = Field(min_length=1)
    moments: tuple[Moment, ...] = Field(default=("start", 1 / 3, "end"), min_length=1)
    """When the density is drawn: start, peak (of the largest eigenvalue), end, or shares of the run from 0 to 1."""
    width: PositiveFloat = 0.004
    """Width of the Gaussian that smears each node, in units of 2/lr."""


STUDY = SpectralDensity
