"""Which quantity, measured at a point, tells whether a change of settings there makes the loss spike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sharpest.results.stored import Measured, common_points

INTERVENTIONS = "interventions"
"""The measure that changes settings."""

CANDIDATES: Mapping[str, tuple[str, str]] = {
    "lambda_max": ("spectra", "eigenvalues"),
    "batch_sharpness": ("gradient_sample", "batch_sharpness"),
    "ratio_of_means": ("gradient_sample", "ratio_of_means"),
    "gni": ("gradient_sample", "gni"),
    "critical_sharpness": ("critical", "critical_sharpness"),
}
"""Curvatures that may mark the edge: measure and column. Where no step raises the loss, the critical sharpness is 0."""

TIME = "iteration"
"""A candidate that knows nothing of curvature, to compare with: what comes later spikes more."""

MEASURES = tuple(dict.fromkeys((INTERVENTIONS, *(measure for measure, _ in CANDIDATES.values()))))
"""What is read of a run."""

_COLUMNS = ("spike", "catapult", "remaining")  # of each point and arm

NUM_RESAMPLED = 1_000


@dataclass(frozen=True, eq=False)
class EdgeTest:
    """The t points of one run at which settings were changed, each in a changed arms.

    Attributes:
        arms: (a,), their names, the unchanged one left out.
        iteration: (t,).
        candidates: By name, (t,).
        spike: (t, a).
        catapult: (t, a), 1, 0, or NaN where the unchanged arm diverged.
        remaining: (t, a), what is left of the largest loss at the end.
        updates: Of each arm.
    """

    arms: tuple[str, ...]
    iteration: NDArray[np.int64]
    candidates: Mapping[str, NDArray[np.float64]]
    spike: NDArray[np.float64]
    catapult: NDArray[np.float64]
    remaining: NDArray[np.float64]
    updates: int

    def first_saturated(self, candidate: str) -> int | None:
        """The first point at which a candidate is at its mean over the last half of the points, or above.

        None where there is no finite value.
        """
        values = self.candidates[candidate]
        late = values[len(values) // 2 :]
        above = np.flatnonzero(values >= np.nanmean(late)) if np.isfinite(late).any() else np.empty(0, dtype=int)
        return int(above[0]) if len(above) else None

    def samples(self, candidate: str, arm: int | None = None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Scores and labels (n,) of points and arms whose label and candidate are known, point by point.

        Args:
            candidate: Its name.
            arm: Place of a single arm; None = all.
        """
        arms = slice(None) if arm is None else slice(arm, arm + 1)
        labels = self.catapult[:, arms]
        scores = np.broadcast_to(self.candidates[candidate][:, None], labels.shape)
        known = np.isfinite(scores) & np.isfinite(labels)
        return scores[known], labels[known] > 0

    def at(self, factor: float) -> EdgeTest:
        """The same where a spike above another factor is a catapult."""
        return replace(self, catapult=np.where(np.isnan(self.spike), np.nan, self.spike > factor))

    def points(self, places: NDArray[np.int64]) -> EdgeTest:
        """Some of the points, in any order and number."""
        candidates = {name: values[places] for name, values in self.candidates.items()}
        columns = {name: getattr(self, name)[places] for name in ("iteration", *_COLUMNS)}
        return replace(self, candidates=candidates, **columns)


def edge_test(read: Callable[[str], Measured]) -> EdgeTest:
    """The points that all measures have in common.

    Args:
        read: Gives what a measure took of the run, by its name.
    """
    stored = dict(zip(MEASURES, common_points(*map(read, MEASURES)), strict=True))
    changes = stored[INTERVENTIONS]
    candidates: dict[str, NDArray[np.float64]] = {}
    for name, (measure, column) in CANDIDATES.items():
        values = stored[measure][column]
        candidates[name] = values[:, 0] if values.ndim == 2 else values
    # no step along the update raises the loss: eta_c is infinite
    never = (stored["critical"]["batch_outcome"] == 1).all(axis=1)
    candidates["critical_sharpness"] = np.where(never, 0.0, candidates["critical_sharpness"])
    candidates[TIME] = changes.iteration.astype(float)
    return EdgeTest(
        arms=tuple(changes.settings["arms"][1:]),
        iteration=changes.iteration,
        candidates=candidates,
        updates=changes.settings["updates"],
        **{name: changes[name][:, 1:] for name in _COLUMNS},
    )


def area_under_roc(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """The chance that a point of label 1 has the higher score, ties counted half; NaN where one label is missing.

    Args:
        scores: (n,).
        labels: (n,).

    Source: Mann and Whitney (1947); Hanley and McNeil (1982).
    """
    positive, negative = scores[labels], np.sort(scores[~labels])
    if not len(positive) or not len(negative):
        return float("nan")
    below, not_above = (np.searchsorted(negative, positive, side=side).mean() for side in ("left", "right"))
    return float((below + not_above) / 2 / len(negative))


def roc(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False and true positive rates as the threshold falls, from (0, 0) to (1, 1); tied scores are one step."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits, count = np.cumsum(labels[order])[ends], ends + 1
    positive = max(int(labels.sum()), 1)
    negative = max(len(labels) - int(labels.sum()), 1)
    return np.append(0, (count - hits) / negative), np.append(0, hits / positive)


def pooled_area(tests: Sequence[EdgeTest], candidate: str, arm: int | None = None) -> float:
    """:func:`area_under_roc` of the points and arms of several seeds together."""
    return area_under_roc(*_pooled(tests, candidate, arm))


def pooled_roc(tests: Sequence[EdgeTest], candidate: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """:func:`roc` of the same."""
    return roc(*_pooled(tests, candidate, None))


def _pooled(
    tests: Sequence[EdgeTest], candidate: str, arm: int | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    scores, labels = zip(*(test.samples(candidate, arm) for test in tests), strict=True)
    return np.concatenate(scores), np.concatenate(labels)


def resampled_areas(tests: Sequence[EdgeTest], candidates: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Areas of resampled seeds and points, by candidate, the same draws for all; (b,), NaN where a label is missing.

    Seeds are drawn with replacement, and of each drawn seed blocks of neighbouring points in a circle. A block is as
    long as the arms, since points within that reach see the same updates; all arms of a point stay together.

    Source: the circular block bootstrap (Politis and Romano 1992), within a bootstrap of clusters (Davison and Hinkley
    1997, section 3.8).
    """
    rng = np.random.default_rng(0)
    areas: dict[str, list[float]] = {candidate: [] for candidate in candidates}
    for _ in range(NUM_RESAMPLED):
        drawn = [_blocks(tests[place], rng) for place in rng.integers(0, len(tests), len(tests))]
        for candidate in candidates:
            areas[candidate].append(pooled_area(drawn, candidate))
    return {candidate: np.array(values) for candidate, values in areas.items()}


def _blocks(test: EdgeTest, rng: np.random.Generator) -> EdgeTest:
    count = len(test.iteration)
    apart = float(np.median(np.diff(test.iteration))) if count > 1 else 1.0
    length = min(max(1, int(np.ceil(test.updates / apart))), count)
    starts = rng.integers(0, count, -(-count // length))
    return test.points(((starts[:, None] + np.arange(length)) % count).ravel()[:count])
