"""Shares of catapults before and after saturation, and areas under the ROC curve, for one run."""

from typing import Any

import numpy as np
import pytest
from edge_tests import write_edge_test

from sharpest.claims.quantities import QUANTITIES
from sharpest.claims.quantity import RunFiles, RunSource
from sharpest.claims.shapes import UnmeasuredError
from sharpest.claims.verdicts import Sample
from sharpest.results.edges import MEASURES

RUN = "fcn-c10-sgd-lr0.1-S4-mse-s1"
# batch sharpness reaches its late mean, 4, at the fourth point; gradient-noise interaction at the second
SHARPNESS = [1, 2, 3, 4, 4, 4]
GNI = [1, 3, 3, 3, 3, 3]
SPIKES = [[1, 1], [1, 2], [1, 10], [10, 100], [1, 100], [100, np.inf]]


def read(folder: Any, name: str) -> float:
    quantity = QUANTITIES[name]
    assert quantity.needs == MEASURES
    content = quantity.read(RunFiles(RunSource(run=RUN, schedules=dict.fromkeys(MEASURES, "test")), folder.results), "")
    if isinstance(content, Sample):
        return content.value
    assert quantity.statistic is not None
    return quantity.statistic(content)


def write(folder: Any, **changes: Any) -> None:
    write_edge_test(folder, RUN, "test", **{"spike": SPIKES, "batch_sharpness": SHARPNESS, "gni": GNI, **changes})


def test_shares_before_and_after_saturation(folder: Any) -> None:
    write(folder)
    assert read(folder, "catapults_before_saturation") == pytest.approx(1 / 6)
    assert read(folder, "catapults_after_saturation") == pytest.approx(5 / 6)
    assert read(folder, "catapults_gni_alone") == pytest.approx(1 / 4)
    assert read(folder, "spike_rise") == pytest.approx(2)


def test_a_catapult_relaxes_below_half_of_its_height(folder: Any) -> None:
    """A catapult that diverged does not relax."""
    remaining = [[1, 1], [1, 1], [1, 0.6], [0.4, 0.6], [1, 0.1], [0.1, np.nan]]
    write(folder, remaining=remaining)
    assert read(folder, "relaxed_catapults") == pytest.approx((0 + 1 / 2 + 1 + 1 / 2) / 4)


def test_areas_and_their_differences(folder: Any) -> None:
    write(folder, eigenvalues=[6, 5, 4, 3, 2, 1], spike=[[1, 1]] * 3 + [[10, 10]] * 3)
    assert read(folder, "auc_batch_sharpness") == 1
    assert read(folder, "auc_lambda_max") == 0
    assert read(folder, "auc_gain_over_lambda_max") == 1
    assert read(folder, "auc_iteration") == 1
    assert read(folder, "auc_gain_over_iteration") == 0
    assert read(folder, "auc_gni") == pytest.approx(1 / 3 + 2 / 3 / 2)


def test_where_no_step_raises_the_loss_critical_sharpness_is_zero(folder: Any) -> None:
    """Its step is infinite then. If some updates have a finite step, their mean counts; else the point is omitted."""
    spikes = [[1, 1], [1, 1], [10, 10], [10, 10]]
    outcome = [[1, 1], [3, 3], [0, 1], [0, 0]]
    sharpness = [np.nan, np.nan, 5, 6]
    flat = np.ones(4)
    write(folder, spike=spikes, batch_outcome=outcome, critical_sharpness=sharpness, batch_sharpness=flat, gni=flat)
    assert read(folder, "auc_critical_sharpness") == 1
    outcome = np.full((4, 2), 3)
    write(folder, spike=spikes, batch_outcome=outcome, critical_sharpness=sharpness, batch_sharpness=flat, gni=flat)
    with pytest.raises(UnmeasuredError, match="all changes catapult, or none do"):
        read(folder, "auc_critical_sharpness")


def test_missing_quantities_of_a_run(folder: Any) -> None:
    write(folder, batch_sharpness=[4, 4, 4, 4, 4, 4])
    with pytest.raises(UnmeasuredError, match="batch sharpness is saturated from the start"):
        read(folder, "catapults_before_saturation")
    with pytest.raises(UnmeasuredError, match="does not saturate before batch sharpness"):
        read(folder, "catapults_gni_alone")
    with pytest.raises(UnmeasuredError, match="no spike is known before"):
        read(folder, "spike_rise")
    write(folder, batch_sharpness=[np.nan] * 6)
    with pytest.raises(UnmeasuredError, match="no finite batch_sharpness"):
        read(folder, "catapults_after_saturation")
    write(folder, spike=np.full((6, 2), 1.0))
    with pytest.raises(UnmeasuredError, match="no change catapults"):
        read(folder, "relaxed_catapults")
    write(folder, spike=[[1, 1]] * 3 + [[np.inf, np.inf]] * 3)
    with pytest.raises(UnmeasuredError, match="most changes diverge"):
        read(folder, "spike_rise")
    write(folder, diverged=2.0)
    with pytest.raises(UnmeasuredError, match="diverged at epoch 2"):
        read(folder, "auc_gni")


def test_points_whose_unchanged_arm_diverged_are_left_out(folder: Any) -> None:
    write(folder, spike=[*SPIKES[:5], [np.nan, np.nan]])
    assert read(folder, "catapults_after_saturation") == pytest.approx(3 / 4)
