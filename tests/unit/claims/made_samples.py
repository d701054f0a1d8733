"""Samples in the form that the judge takes."""

from collections.abc import Sequence

import numpy as np

from sharpest.claims.verdicts import Measured, Sample


def measured_of(samples: Sequence[Sample]) -> Measured:
    """One number, one sample per seed."""
    return Measured(
        np.array([sample.value for sample in samples]),
        np.array([sample.error for sample in samples]),
        np.array([sample.blocks for sample in samples]),
        np.array(any(sample.open_above for sample in samples)),
        np.array(any(sample.open_below for sample in samples)),
    )
