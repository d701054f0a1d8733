"""When a curvature crosses its edge, and what happens after a change of settings there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.edge import adam_edge, edge
from sharpest.results.stored import Measured, common_points


def edge_of(measured: Measured) -> float:
    """The edge of stability of the run's optimizer at its first learning rate.

    ``sharpest.edge.edge`` for SGD; for adaptive optimizers ``sharpest.edge.adam_edge``, the edge of preconditioned
    curvature.
    """
    run = measured.attributes["config"]["run"]
    if run.get("optimizer", "sgd") != "sgd":  # older files name no optimizer: it was SGD
        return adam_edge(measured.lr, run["beta1"], run["weight_decay"])
    return edge(measured.lr, run["momentum"], run["nesterov"])


def first_crossing(iteration: NDArray[np.int64], curvature: NDArray[np.float64], threshold: float) -> int | None:
    """The first iteration at which the curvature exceeds its edge; None if it never does.

    Args:
        iteration: (t,).
        curvature: (t,), NaN where not measured.
        threshold: The edge.
    """
    above: NDArray[Any] = iteration[curvature > threshold]
    return int(above[0]) if len(above) else None


INTERVENTIONS = "interventions"
"""The measure that changes settings."""

CANDIDATES: Mapping[str, tuple[str, str]] = {
    "lambda_max": ("spectra", "eigenvalues"),
    "batch_sharpness": ("gradient_sample", "batch_sharpness"),
    "ratio_of_means": ("gradient_sample", "ratio_of_means"),
    "gni": ("gradient_sample", "gni"),
    "critical_sharpness": ("critical", "critical_sharpness"),
}
"""Curvatures that may mark the edge, by measure and column. If no step raises the loss, critical sharpness is 0."""

TIME = "iteration"
"""A baseline candidate without curvature: later points spike more."""

MEASURES = tuple(dict.fromkeys((INTERVENTIONS, *(measure for measure, _ in CANDIDATES.values()))))
"""The measures that the test reads."""

_COLUMNS = ("spike", "catapult", "remaining")  # of each point and arm

NUM_RESAMPLED = 1_000


@dataclass(frozen=True, eq=False)
class EdgeTest:
    """The t points of one run at which settings were changed, each with a changed arms.

    Attributes:
        arms: (a,), names of the changed arms.
        iteration: (t,).
        candidates: Values (t,) by name of the candidate.
        spike: (t, a), largest loss over that of the unchanged arm.
        catapult: (t, a), 1, 0, or NaN where the unchanged arm diverged.
        remaining: (t, a), mean loss of the last quarter of the updates over the largest loss.
        updates: Updates of each arm.
    """

    arms: tuple[str, ...]
    iteration: NDArray[np.int64]
    candidates: Mapping[str, NDArray[np.float64]]
    spike: NDArray[np.float64]
    catapult: NDArray[np.float64]
    remaining: NDArray[np.float64]
    updates: int

    def first_saturated(self, candidate: str) -> int | None:
        """The first point at which a candidate reaches its mean over the last half of the points.

        None if that half has no finite value.
        """
        values = self.candidates[candidate]
        late = values[len(values) // 2 :]
        above = np.flatnonzero(values >= np.nanmean(late)) if np.isfinite(late).any() else np.empty(0, dtype=int)
        return int(above[0]) if len(above) else None

    def samples(self, candidate: str, arm: int | None = None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Scores and labels (n,) of all points and arms where both are finite, point by point.

        Args:
            candidate: Name of the candidate whose values are the scores.
            arm: Index of a single arm; None = all.
        """
        arms = slice(None) if arm is None else slice(arm, arm + 1)
        labels = self.catapult[:, arms]
        scores = np.broadcast_to(self.candidates[candidate][:, None], labels.shape)
        known = np.isfinite(scores) & np.isfinite(labels)
        return scores[known], labels[known] > 0

    def at(self, factor: float) -> EdgeTest:
        """The same test with another spike factor above which an arm counts as a catapult."""
        return replace(self, catapult=np.where(np.isnan(self.spike), np.nan, self.spike > factor))

    def points(self, places: NDArray[np.int64]) -> EdgeTest:
        """The test at the points with these indices, which may repeat."""
        candidates = {name: values[places] for name, values in self.candidates.items()}
        columns = {name: getattr(self, name)[places] for name in ("iteration", *_COLUMNS)}
        return replace(self, candidates=candidates, **columns)


def edge_test(read: Callable[[str], Measured]) -> EdgeTest:
    """The edge test of a run, at the points that all its measures share.

    Args:
        read: Returns the stored values of a measure on the run, by the name of the measure.
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
    """The probability that a point of label 1 outscores one of label 0, ties counted half; NaN if a label is missing.

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
    """False and true positive rates as the threshold falls, from (0, 0) to (1, 1); tied scores form one step."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits, count = np.cumsum(labels[order])[ends], ends + 1
    positive = max(int(labels.sum()), 1)
    negative = max(len(labels) - int(labels.sum()), 1)
    return np.append(0, (count - hits) / negative), np.append(0, hits / positive)


def pooled_area(tests: Sequence[EdgeTest], candidate: str, arm: int | None = None) -> float:
    """``area_under_roc`` over the points and arms of several seeds."""
    return area_under_roc(*_pooled(tests, candidate, arm))


def pooled_roc(tests: Sequence[EdgeTest], candidate: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``roc`` over the points and arms of several seeds."""
    return roc(*_pooled(tests, candidate, None))


def _pooled(
    tests: Sequence[EdgeTest], candidate: str, arm: int | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    scores, labels = zip(*(test.samples(candidate, arm) for test in tests), strict=True)
    return np.concatenate(scores), np.concatenate(labels)


def resampled_areas(tests: Sequence[EdgeTest], candidates: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Bootstrap samples of the area, (b,) by candidate, from the same draws for all; NaN where a label is missing.

    Seeds are drawn with replacement, and from each drawn seed circular blocks of neighbouring points. A block is as
    long as an arm, since points that close see the same updates. All arms of a point stay together.

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
    spacing = float(np.median(np.diff(test.iteration))) if count > 1 else 1.0
    length = min(max(1, int(np.ceil(test.updates / spacing))), count)
    starts = rng.integers(0, count, -(-count // length))
    return test.points(((starts[:, None] + np.arange(length)) % count).ravel()[:count])
