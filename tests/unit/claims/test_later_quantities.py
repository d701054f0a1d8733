"""Quantities of later papers: updates at the edge, the edge test, and the spectral density."""

from typing import Any

import numpy as np
import pytest
from edge_tests import write_edge_test

from sharpest.claims.edges import MEASURES
from sharpest.claims.quantities import QUANTITIES
from sharpest.claims.quantity import RunFiles, RunSource
from sharpest.claims.resampling import resampled
from sharpest.claims.shapes import Series, UnmeasuredError
from sharpest.claims.verdicts import Sample

FULL, EDGE_RUN, DENSE = (
    "fcn-c10-sgd-lr0.1-S64-n64-mse-fb-s1",
    "fcn-c10-sgd-lr0.1-S4-mse-s1",
    "scnn-c10-sgd-lr0.1-S128-s1",
)
# batch sharpness reaches its late mean, 4, at the fourth point; gradient-noise interaction at the second
SHARPNESS = [1, 2, 3, 4, 4, 4]
GNI = [1, 3, 3, 3, 3, 3]
SPIKES = [[1, 1], [1, 2], [1, 10], [10, 100], [1, 100], [100, np.inf]]
NODES = [[-0.4, 0.05, 0.5, 10.0], [-0.2, 0.1, 2.0, 8.0]]
WEIGHTS = [[0.2, 0.7, 0.06, 0.04], [0.1, 0.8, 0.06, 0.04]]


def of_updates(read: Any, name: str) -> float:
    number: float = read(name, run=FULL, schedules={"spectra": "edge"})
    return number


def of_edges(read: Any, name: str) -> float:
    number: float = read(name, run=EDGE_RUN, schedules=dict.fromkeys(MEASURES, "test"))
    return number


def of_density(folder: Any, name: str) -> Sample:
    source = RunSource(run=DENSE, schedules={"density": "step", "spectra": "step"})
    content = QUANTITIES[name].read(RunFiles(source, folder.results), "")
    assert isinstance(content, Sample)
    return content


def write_updates(
    folder: Any, eigenvalues: Any, rising: Any, diverged: float | None = None, optimizer: str = "sgd"
) -> None:
    """Points ten updates apart; the loss falls by one per update, and rises by one at the given updates."""
    t, count = len(eigenvalues), 10 * (len(eigenvalues) - 1)
    config = {"run": {"momentum": 0.0, "nesterov": False, "model": {}, "optimizer": optimizer}}
    arrays = {
        "iteration": 10 * np.arange(t),
        "epoch": np.arange(t),
        "eigenvalues": np.array(eigenvalues, float)[:, None],
    }
    folder.write_measure(
        "spectra", FULL, "edge", {"t": t, "k": 1}, arrays, lr=0.1, config=config, diverged_epoch=diverged
    )
    changes = np.where(np.isin(np.arange(1, count + 1), rising), 1.0, -1)
    loss = 100 + np.concatenate([[0], np.cumsum(changes)])
    folder.write_snapshots(FULL, {"t": 2, "u": count + 1}, {"update_loss": loss, "iteration": [0, count]})


def test_the_first_point_above_the_edge(folder: Any, read: Any) -> None:
    write_updates(folder, [5, 19, 20, 21, 19, 22], [])
    assert of_updates(read, "first_crossing") == 30


def test_adam_has_no_edge_for_these_eigenvalues(folder: Any, read: Any) -> None:
    write_updates(folder, [5, 19, 20, 21, 19, 22], [], optimizer="adam")
    with pytest.raises(UnmeasuredError, match="the edge of adam bounds the preconditioned curvature"):
        of_updates(read, "first_crossing")


def test_shares_of_rising_updates_before_and_after(folder: Any, read: Any) -> None:
    """The thirtieth update is the last one before; of the twenty after it, five raise the loss."""
    write_updates(folder, [5, 19, 20, 21, 19, 22], [4, 9, 30, 31, 35, 40, 45, 50])
    assert of_updates(read, "rising_updates_before_edge") == pytest.approx(3 / 30)
    assert of_updates(read, "rising_updates_after_edge") == pytest.approx(5 / 20)


def test_all_updates_are_before_an_edge_that_is_never_crossed(folder: Any, read: Any) -> None:
    write_updates(folder, [5, 19, 20], [4, 20])
    assert of_updates(read, "rising_updates_before_edge") == pytest.approx(2 / 20)
    with pytest.raises(UnmeasuredError, match="no update after the crossing of the edge"):
        of_updates(read, "rising_updates_after_edge")
    with pytest.raises(UnmeasuredError, match="never exceeds the edge"):
        of_updates(read, "first_crossing")


def test_a_run_above_the_edge_from_its_start_has_nothing_before(folder: Any, read: Any) -> None:
    write_updates(folder, [25, 25, 25], [4, 20])
    assert of_updates(read, "first_crossing") == 0
    assert of_updates(read, "rising_updates_after_edge") == pytest.approx(2 / 20)
    with pytest.raises(UnmeasuredError, match="no update before the crossing of the edge"):
        of_updates(read, "rising_updates_before_edge")


@pytest.mark.parametrize("name", ["first_crossing", "rising_updates_before_edge", "rising_updates_after_edge"])
def test_a_diverged_run_gives_none(name: str, folder: Any, read: Any) -> None:
    write_updates(folder, [25, 25, 25], [4], diverged=1.5)
    with pytest.raises(UnmeasuredError, match=r"diverged at epoch 1\.5"):
        of_updates(read, name)


def test_a_share_has_an_error(folder: Any, read: Any) -> None:
    write_updates(folder, [25] * 101, np.flatnonzero(np.random.default_rng(0).random(1000) < 0.3))
    quantity = QUANTITIES["rising_updates_after_edge"]
    series = quantity.read(RunFiles(RunSource(run=FULL, schedules={"spectra": "edge"}), folder.results), "")
    assert isinstance(series, Series)
    assert quantity.statistic is not None
    spread = resampled(series, quantity.statistic, FULL).replicates.std()
    assert spread == pytest.approx(np.sqrt(0.3 * 0.7 / 1000), rel=0.5)


def write_edges(folder: Any, **changes: Any) -> None:
    write_edge_test(folder, EDGE_RUN, "test", **{"spike": SPIKES, "batch_sharpness": SHARPNESS, "gni": GNI, **changes})


def test_shares_before_and_after_saturation(folder: Any, read: Any) -> None:
    write_edges(folder)
    assert of_edges(read, "catapults_before_saturation") == pytest.approx(1 / 6)
    assert of_edges(read, "catapults_after_saturation") == pytest.approx(5 / 6)
    assert of_edges(read, "catapults_gni_alone") == pytest.approx(1 / 4)
    assert of_edges(read, "spike_rise") == pytest.approx(2)


def test_a_catapult_relaxes_below_half_of_its_height(folder: Any, read: Any) -> None:
    """A catapult that diverged does not relax."""
    remaining = [[1, 1], [1, 1], [1, 0.6], [0.4, 0.6], [1, 0.1], [0.1, np.nan]]
    write_edges(folder, remaining=remaining)
    assert of_edges(read, "relaxed_catapults") == pytest.approx((0 + 1 / 2 + 1 + 1 / 2) / 4)


def test_areas_and_their_differences(folder: Any, read: Any) -> None:
    write_edges(folder, eigenvalues=[6, 5, 4, 3, 2, 1], spike=[[1, 1]] * 3 + [[10, 10]] * 3)
    assert of_edges(read, "auc_batch_sharpness") == 1
    assert of_edges(read, "auc_lambda_max") == 0
    assert of_edges(read, "auc_gain_over_lambda_max") == 1
    assert of_edges(read, "auc_iteration") == 1
    assert of_edges(read, "auc_gain_over_iteration") == 0
    assert of_edges(read, "auc_gni") == pytest.approx(1 / 3 + 2 / 3 / 2)


def test_where_no_step_raises_the_loss_critical_sharpness_is_zero(folder: Any, read: Any) -> None:
    """Its step is infinite then. If some updates have a finite step, their mean counts; else the point is omitted."""
    spikes = [[1, 1], [1, 1], [10, 10], [10, 10]]
    outcome = [[1, 1], [3, 3], [0, 1], [0, 0]]
    sharpness = [np.nan, np.nan, 5, 6]
    flat: dict[str, Any] = {"spike": spikes, "batch_sharpness": np.ones(4), "gni": np.ones(4)}
    write_edges(folder, batch_outcome=outcome, critical_sharpness=sharpness, **flat)
    assert of_edges(read, "auc_critical_sharpness") == 1
    outcome = np.full((4, 2), 3)
    write_edges(folder, batch_outcome=outcome, critical_sharpness=sharpness, **flat)
    with pytest.raises(UnmeasuredError, match="all changes catapult, or none do"):
        of_edges(read, "auc_critical_sharpness")


def test_missing_quantities_of_a_run(folder: Any, read: Any) -> None:
    write_edges(folder, batch_sharpness=[4, 4, 4, 4, 4, 4])
    with pytest.raises(UnmeasuredError, match="batch sharpness is saturated from the start"):
        of_edges(read, "catapults_before_saturation")
    with pytest.raises(UnmeasuredError, match="does not saturate before batch sharpness"):
        of_edges(read, "catapults_gni_alone")
    with pytest.raises(UnmeasuredError, match="no spike is known before"):
        of_edges(read, "spike_rise")
    write_edges(folder, batch_sharpness=[np.nan] * 6)
    with pytest.raises(UnmeasuredError, match="no finite batch_sharpness"):
        of_edges(read, "catapults_after_saturation")
    write_edges(folder, spike=np.full((6, 2), 1.0))
    with pytest.raises(UnmeasuredError, match="no change catapults"):
        of_edges(read, "relaxed_catapults")
    write_edges(folder, spike=[[1, 1]] * 3 + [[np.inf, np.inf]] * 3)
    with pytest.raises(UnmeasuredError, match="most changes diverge"):
        of_edges(read, "spike_rise")
    write_edges(folder, diverged=2.0)
    with pytest.raises(UnmeasuredError, match="diverged at epoch 2"):
        of_edges(read, "auc_gni")


def test_points_whose_unchanged_arm_diverged_are_left_out(folder: Any, read: Any) -> None:
    write_edges(folder, spike=[*SPIKES[:5], [np.nan, np.nan]])
    assert of_edges(read, "catapults_after_saturation") == pytest.approx(3 / 4)


def write_density(folder: Any, diverged: float | None = None) -> None:
    """Two points, of which the last counts, for a net of 100 parameters."""
    config = {"run": {"model": {}}}
    points = {"iteration": [0, 10], "epoch": [0.0, 1.0]}
    arrays = {
        "nodes": [np.ones((2, 4)), NODES],
        "weights": [np.full((2, 4), 0.25), WEIGHTS],
        "lambda_min": [1.0, -0.4],
        "lambda_max": [1.0, 10.0],
    }
    sizes = {"t": 2, "o": 2, "l": 4, "g": 3}
    folder.write_measure("density", DENSE, "step", sizes, points | arrays, config=config, diverged_epoch=diverged)
    folder.write_measure("spectra", DENSE, "step", {"t": 2, "k": 1, "v": 0, "p": 100}, points, config=config)


def test_outliers_are_counted_and_the_bulk_is_a_share(folder: Any) -> None:
    """Above 0.5, a twentieth of the highest node of all probes, and within that distance of zero."""
    write_density(folder)
    outliers, bulk = of_density(folder, "density_outliers"), of_density(folder, "density_bulk")
    assert (outliers.value, outliers.error) == (pytest.approx(7), pytest.approx(3, rel=0.15))  # of 200 replicates
    assert (bulk.value, bulk.error) == (pytest.approx(0.93), pytest.approx(0.03, rel=0.15))


def test_the_lowest_over_the_highest(folder: Any) -> None:
    write_density(folder)
    assert of_density(folder, "density_negative").value == pytest.approx(0.04)


@pytest.mark.parametrize("name", ["density_outliers", "density_bulk", "density_negative"])
def test_a_run_that_diverged_has_none(name: str, folder: Any) -> None:
    write_density(folder, diverged=0.5)
    with pytest.raises(UnmeasuredError, match="diverged"):
        of_density(folder, name)
