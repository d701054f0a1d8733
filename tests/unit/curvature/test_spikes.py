"""Quantities computed from the losses of arms: spikes, catapults, lasting spikes, and divergence."""

import numpy as np
from numpy.testing import assert_array_equal

from sharpest.curvature.critical import spikes

# the start is not part of a spike; eight updates, of which the last two are the last quarter
CONTROL = [9.0, 2, 1, 1, 1, 1, 1, 1, 3]
ARM = [9.0, 4, 12, 6, 1, 1, 1, 1, 2]


def test_spikes_are_over_the_largest_loss_of_the_unchanged_arm():
    actual = spikes(np.array([CONTROL, ARM]), factor=3.5)
    assert_array_equal(actual["spike"], [1, 4])
    assert_array_equal(actual["catapult"], [0, 1])
    assert_array_equal(actual["lasting"], [1, 0.75])
    assert_array_equal(actual["remaining"], [2 / 3, 1.5 / 12])
    assert_array_equal(actual["diverged"], [-1, -1])
    assert_array_equal(actual["loss"], [CONTROL, ARM])


def test_a_spike_at_the_factor_is_not_a_catapult():
    assert_array_equal(spikes(np.array([CONTROL, ARM]), factor=4)["catapult"], [0, 0])


def test_an_arm_that_diverges_has_an_infinite_spike():
    """Also if its loss becomes finite again."""
    actual = spikes(np.array([CONTROL, [*ARM[:3], np.inf, np.nan, *ARM[5:]]]), factor=1e9)
    assert_array_equal(actual["diverged"], [-1, 3])
    assert_array_equal(actual["spike"], [1, np.inf])
    assert_array_equal(actual["lasting"], [1, np.inf])
    assert_array_equal(actual["catapult"], [0, 1])
    assert_array_equal(actual["remaining"], [2 / 3, np.nan])
    assert_array_equal(actual["loss"][1], [*ARM[:3], *[np.nan] * 6])


def test_if_the_unchanged_arm_diverges_nothing_is_known():
    actual = spikes(np.array([[*CONTROL[:8], np.nan], ARM, [*ARM[:8], np.nan]]), factor=2)
    assert_array_equal(actual["diverged"], [8, -1, 8])
    for name in ("spike", "catapult", "lasting"):
        assert np.isnan(actual[name]).all()
    assert_array_equal(actual["remaining"], [np.nan, 1.5 / 12, np.nan])


def test_one_update_is_its_own_last_quarter():
    assert_array_equal(spikes(np.array([[5.0, 1], [5, 3]]), 2)["lasting"], [1, 3])
