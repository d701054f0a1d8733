"""Quantities of the edge test: catapults before and after batch sharpness saturates, and what predicts them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.files import RunFiles
from sharpest.claims.quantity import Quantity
from sharpest.claims.series import Number, Series, UnmeasuredError
from sharpest.claims.shapes import mean
from sharpest.results.edge_test import CANDIDATES, INTERVENTIONS, MEASURES, TIME, EdgeTest, area_under_roc, edge_test

_BATCH_SHARPNESS = "batch_sharpness"


def _test(files: RunFiles) -> EdgeTest:
    if (diverged := files.measured(INTERVENTIONS).divergence) != "":
        raise UnmeasuredError(diverged)
    return edge_test(files.measured)


def _saturation(test: EdgeTest, candidate: str = _BATCH_SHARPNESS) -> int:
    place = test.first_saturated(candidate)
    if place is None:
        raise UnmeasuredError(f"no finite {candidate}")
    return place


def _before(test: EdgeTest) -> slice:
    return slice(0, _saturation(test))


def _after(test: EdgeTest) -> slice:
    return slice(_saturation(test), None)


def _gni_alone(test: EdgeTest) -> slice:
    return slice(_saturation(test, "gni"), _saturation(test))


def _catapults(points: Callable[[EdgeTest], slice], what: str) -> Callable[[RunFiles, str], Series]:
    """The share of changes that catapult, at each of some points."""

    def read(files: RunFiles, facet: str) -> Series:
        test = _test(files)
        rows = points(test)
        return _shares(test.iteration[rows], test.catapult[rows], what)

    return read


def _relaxed(files: RunFiles, facet: str) -> Series:
    """1 for each catapult whose loss ends below half of its height, 0 for each other one, divergence included."""
    test = _test(files)
    relaxed = np.where(test.catapult > 0, np.where(test.remaining < 0.5, 1.0, 0.0), np.nan)
    return _shares(test.iteration, relaxed, "no change catapults")


def _shares(iteration: NDArray[np.int64], values: NDArray[np.float64], otherwise: str) -> Series:
    """Means over the arms (t, a) that are known, at the points where one is."""
    known = np.isfinite(values).any(axis=1)
    if not known.any():
        raise UnmeasuredError(otherwise)
    return Series(iteration[known].astype(float), np.nanmean(values[known], axis=1, keepdims=True))


def _spike_rise(files: RunFiles, facet: str) -> Number:
    """Decades between the median spikes of two parts of the points."""
    test = _test(files)
    medians = [np.median(known) for known in (_known(test.spike[part(test)]) for part in (_before, _after))]
    if not np.isfinite(medians).all():
        raise UnmeasuredError("most changes diverge")
    return Number(float(np.log10(medians[1] / medians[0])))


def _known(spikes: NDArray[np.float64]) -> NDArray[np.float64]:
    known = spikes[~np.isnan(spikes)]
    if not len(known):
        raise UnmeasuredError("no spike is known before batch sharpness saturates, or after it")
    return known


def _area(candidate: str, less: str | None = None) -> Callable[[RunFiles, str], Number]:
    """The area of a candidate's ROC, or what it has more than another one's."""

    def read(files: RunFiles, facet: str) -> Number:
        test = _test(files)
        areas = [area_under_roc(*test.samples(name)) for name in (candidate, *[less] * bool(less)) if name]
        if np.isnan(areas).any():
            raise UnmeasuredError("all changes catapult, or none does")
        return Number(areas[0] - sum(areas[1:]))

    return read


_SOURCE = "Edge test: Beneventano (2026); Andreyev et al., arXiv 2604.14108, Fig. 6"
_SATURATES = "the first point at which batch sharpness is at or above its mean over the last half of the points"
_ROC = "Chance that a point and change with a catapult has the higher {}, beside one without; of one run"

EDGE_TEST: Sequence[Quantity] = (
    Quantity(
        "catapults_before_saturation", "", f"Share of changes of settings that catapult, before {_SATURATES}.", _SOURCE,
        MEASURES, _catapults(_before, "batch sharpness is saturated from the start"), mean,
    ),
    Quantity(
        "catapults_after_saturation", "", "The same from that point on.", _SOURCE, MEASURES,
        _catapults(_after, "no point after it"), mean,
    ),
    Quantity(
        "catapults_gni_alone", "", "The same between the first point at which gradient-noise interaction is at its own "
        "mean over the last half, and that one.", _SOURCE, MEASURES,
        _catapults(_gni_alone, "batch sharpness is saturated no later than gradient-noise interaction"), mean,
    ),
    Quantity(
        "spike_rise", "decades", "Median spike from the saturation of batch sharpness on over that before, as decimal "
        "logarithm.", _SOURCE, MEASURES, _spike_rise,
    ),
    Quantity(
        "relaxed_catapults", "", "Share of catapults whose mean loss over the last quarter of the updates is below "
        "half of their highest.", _SOURCE, MEASURES, _relaxed, mean,
    ),
    *(
        Quantity(f"auc_{name}", "", _ROC.format(f"`{name}`") + ".", _SOURCE, MEASURES, _area(name))
        for name in (*CANDIDATES, TIME)
    ),
    *(
        Quantity(
            f"auc_gain_over_{name}", "", f"That of batch sharpness minus that of `{name}`.", _SOURCE, MEASURES,
            _area(_BATCH_SHARPNESS, name),
        )
        for name in (*CANDIDATES, TIME) if name != _BATCH_SHARPNESS
    ),
)  # fmt: skip
