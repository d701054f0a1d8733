"""Predictors of catapults: areas under the ROC curve against counting all pairs, and their resampling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sharpest.claims.edges import (
    CANDIDATES,
    MEASURES,
    TIME,
    EdgeTest,
    area_under_roc,
    pooled_area,
    resampled_areas,
    roc,
)
from sharpest.config.studies import EdgeTestStudy


def made(catapult, scores=None, iteration=None, updates=1):
    catapult = np.array(catapult, float)
    t = len(catapult)
    scores = np.arange(t, dtype=float) if scores is None else np.array(scores, float)
    return EdgeTest(
        arms=tuple(f"lr{a + 2}" for a in range(catapult.shape[1])),
        iteration=np.arange(t) if iteration is None else np.array(iteration),
        candidates=dict.fromkeys((*CANDIDATES, TIME), scores),
        spike=10 * catapult,
        catapult=catapult,
        remaining=np.full(catapult.shape, 0.1),
        updates=updates,
    )


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_the_area_is_the_share_of_pairs_in_order(samples):
    scores, labels = np.array([s for s, _ in samples], float), np.array([x for _, x in samples])
    pairs = [1.0 if high > low else 0.5 if high == low else 0.0 for high in scores[labels] for low in scores[~labels]]
    if not pairs:
        assert np.isnan(area_under_roc(scores, labels))
        return
    assert area_under_roc(scores, labels) == pytest.approx(np.mean(pairs))
    x, y = roc(scores, labels)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(y, x) == pytest.approx(np.mean(pairs))


def test_samples_are_points_and_arms_with_known_values():
    test = made([[0, 1], [np.nan, 1], [0, 0]], [3, 2, np.nan])
    scores, labels = test.samples("gni")
    assert_array_equal(scores, [3, 3, 2])
    assert_array_equal(labels, [False, True, True])
    assert_array_equal(test.samples("gni", 0)[0], [3])
    assert_array_equal(test.samples("gni", 1)[0], [3, 2])
    assert pooled_area([test, made([[0, 0]], [1])], "gni") == area_under_roc(
        np.array([3, 3, 2, 1, 1.0]), np.array([0, 1, 1, 0, 0], bool)
    )


def test_saturation_is_the_first_point_at_the_late_mean():
    test = made(np.zeros((6, 1)), [1, 4, 2, 3, 4, 5])
    assert test.first_saturated("batch_sharpness") == 1
    assert made(np.zeros((3, 1)), [2, 2, 2]).first_saturated("gni") == 0
    assert made(np.zeros((4, 1)), [np.nan] * 4).first_saturated("gni") is None


def test_resampled_areas_are_the_same_each_time_and_spread_about_the_area():
    rng = np.random.default_rng(1)
    labels = rng.random((60, 2)) < 0.5
    tests = [made(labels, labels[:, 0] + rng.normal(size=60)), made(labels, labels[:, 1] + rng.normal(size=60))]
    names = ["gni", TIME]
    first, second = resampled_areas(tests, names), resampled_areas(tests, names)
    area = pooled_area(tests, "gni")
    assert_array_equal(first["gni"], second["gni"])
    assert_array_equal(first["gni"], first[TIME])  # the same draws for all
    low, high = np.percentile(first["gni"], (2.5, 97.5))
    assert low < area < high
    assert 0.05 < high - low < 0.4


def test_runs_of_one_point_are_resampled_as_wholes():
    areas = resampled_areas([made([[0]]), made([[1]], [1])], ["gni"])["gni"]
    assert set(areas[np.isfinite(areas)]) == {1}  # finite if both runs are drawn
    assert 0.4 < np.isfinite(areas).mean() < 0.6


def test_arms_that_overlap_widen_the_interval():
    """Points in one block are one observation: of 64 points with labels in runs of eight, few are independent."""
    labels = np.repeat(np.random.default_rng(3).random(8) < 0.5, 8)[:, None]
    scores = np.repeat(np.random.default_rng(4).normal(size=8), 8) + labels[:, 0]
    single, blocks = (
        resampled_areas([made(labels, scores, iteration=10 * np.arange(64), updates=u)], ["gni"])["gni"]
        for u in (10, 80)
    )
    assert np.nanstd(blocks) > 1.5 * np.nanstd(single)


def test_rows_of_several_arms_stay_together():
    test = made([[0, 1]] * 5).points(np.array([4, 4, 0]))
    assert_array_equal(test.iteration, [4, 4, 0])
    assert_allclose(test.catapult, [[0, 1]] * 3)
    assert_array_equal(test.candidates["gni"], [4, 4, 0])


def test_the_figure_reads_what_the_study_reads() -> None:
    assert EdgeTestStudy.always_reads == MEASURES
