"""Quantities of the edge test: catapults before and after batch sharpness saturates, and their predictors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.edges import CANDIDATES, INTERVENTIONS, MEASURES, TIME, EdgeTest, area_under_roc, edge_test
from sharpest.claims.quantity import Quantity, RunFiles
from sharpest.claims.shapes import Series, UnmeasuredError, mean
from sharpest.claims.verdicts import Sample

_BATCH_SHARPNESS = "batch_sharpness"


def _test(files: RunFiles) -> EdgeTest:
    if (divergence := files.measured(INTERVENTIONS).divergence) != "":
        raise UnmeasuredError(divergence)
    return edge_test(files.measured)


def _saturation(test: EdgeTest, candidate: str = _BATCH_SHARPNESS) -> int:
    point = test.first_saturated(candidate)
    if point is None:
        raise UnmeasuredError(f"no finite {candidate}")
    return point


def _before(test: EdgeTest) -> slice:
    return slice(0, _saturation(test))


def _after(test: EdgeTest) -> slice:
    return slice(_saturation(test), None)


def _gni_alone(test: EdgeTest) -> slice:
    return slice(_saturation(test, "gni"), _saturation(test))


def _catapults(points: Callable[[EdgeTest], slice], if_none: str) -> Callable[[RunFiles, str], Series]:
    """The fraction of changes that catapult, at each of the points."""

    def read(files: RunFiles, facet: str) -> Series:
        test = _test(files)
        rows = points(test)
        return _fractions(test.iteration[rows], test.catapult[rows], if_none)

    return read


def _relaxed(files: RunFiles, facet: str) -> Series:
    """1 for each catapult whose loss ends below half of its maximum, 0 for each other catapult or divergence."""
    test = _test(files)
    relaxed = np.where(test.catapult > 0, np.where(test.remaining < 0.5, 1.0, 0.0), np.nan)
    return _fractions(test.iteration, relaxed, "no change catapults")


def _fractions(iteration: NDArray[np.int64], values: NDArray[np.float64], if_none: str) -> Series:
    """Mean of the finite values of each point, from values (t, a) by arm.

    Points without a finite value are left out.

    Raises:
        UnmeasuredError: If no value is finite, with the message ``if_none``.
    """
    known = np.isfinite(values).any(axis=1)
    if not known.any():
        raise UnmeasuredError(if_none)
    return Series(iteration[known].astype(float), np.nanmean(values[known], axis=1, keepdims=True))


def _spike_rise(files: RunFiles, facet: str) -> Sample:
    """Median spike after saturation over the median before it, in decades."""
    test = _test(files)
    medians = [np.median(known) for known in (_known(test.spike[part(test)]) for part in (_before, _after))]
    if not np.isfinite(medians).all():
        raise UnmeasuredError("most changes diverge")
    return Sample(float(np.log10(medians[1] / medians[0])))


def _known(spikes: NDArray[np.float64]) -> NDArray[np.float64]:
    known = spikes[~np.isnan(spikes)]
    if not len(known):
        raise UnmeasuredError("no spike is known before batch sharpness saturates, or none after it")
    return known


def _area(candidate: str, less: str | None = None) -> Callable[[RunFiles, str], Sample]:
    """The area under the ROC curve of a candidate, minus the area of ``less`` if given."""

    def read(files: RunFiles, facet: str) -> Sample:
        test = _test(files)
        areas = [area_under_roc(*test.samples(name)) for name in (candidate, *[less] * bool(less)) if name]
        if np.isnan(areas).any():
            raise UnmeasuredError("all changes catapult, or none do")
        return Sample(areas[0] - sum(areas[1:]))

    return read


_SOURCE = "Edge test: Beneventano (2026); Andreyev et al., arXiv 2604.14108, Fig. 6"
_SATURATES = "the first point at which batch sharpness is at or above its mean over the last half of the points"
_ROC = "Probability that, of two changes within a run, the one that catapults has the higher {} (area under the ROC)"

EDGE_TEST: Sequence[Quantity] = (
    Quantity(
        "catapults_before_saturation", "", f"Fraction of changes of settings that catapult before {_SATURATES}.",
        _SOURCE, MEASURES, _catapults(_before, "batch sharpness is saturated from the start"), mean,
    ),
    Quantity(
        "catapults_after_saturation", "", "The same from that point on.", _SOURCE, MEASURES,
        _catapults(_after, "no point after saturation"), mean,
    ),
    Quantity(
        "catapults_gni_alone", "", "The same from the saturation of gradient-noise interaction, defined likewise, to "
        "that of batch sharpness.", _SOURCE, MEASURES,
        _catapults(_gni_alone, "gradient-noise interaction does not saturate before batch sharpness"), mean,
    ),
    Quantity(
        "spike_rise", "decades", "Decimal logarithm of the median spike from the saturation of batch sharpness on, "
        "over the median spike before it.", _SOURCE, MEASURES, _spike_rise,
    ),
    Quantity(
        "relaxed_catapults", "", "Fraction of catapults whose mean loss over the last quarter of the updates is below "
        "half of their highest loss.", _SOURCE, MEASURES, _relaxed, mean,
    ),
    *(
        Quantity(f"auc_{name}", "", _ROC.format(f"`{name}`") + ".", _SOURCE, MEASURES, _area(name))
        for name in (*CANDIDATES, TIME)
    ),
    *(
        Quantity(
            f"auc_gain_over_{name}", "", f"`auc_{_BATCH_SHARPNESS}` minus `auc_{name}`.", _SOURCE, MEASURES,
            _area(_BATCH_SHARPNESS, name),
        )
        for name in (*CANDIDATES, TIME) if name != _BATCH_SHARPNESS
    ),
)  # fmt: skip
