"""The loss after every update of a full-batch run, before and after the edge."""

from typing import Any

import numpy as np
import pytest

from sharpest.claims.quantities import QUANTITIES
from sharpest.claims.quantity import RunFiles, RunSource
from sharpest.claims.resampling import resampled
from sharpest.claims.shapes import Series, UnmeasuredError
from sharpest.claims.verdicts import Sample

RUN = "fcn-c10-sgd-lr0.1-S64-n64-mse-fb-s1"
EDGE = 20.0


def write(folder: Any, eigenvalues: Any, rising: Any, diverged: float | None = None, optimizer: str = "sgd") -> None:
    """Points ten updates apart; the loss falls by one per update, and rises by one at the given updates."""
    t, count = len(eigenvalues), 10 * (len(eigenvalues) - 1)
    config = {"run": {"momentum": 0.0, "nesterov": False, "model": {}, "optimizer": optimizer}}
    arrays = {
        "iteration": 10 * np.arange(t),
        "epoch": np.arange(t),
        "eigenvalues": np.array(eigenvalues, float)[:, None],
    }
    folder.write_measure(
        "spectra", RUN, "edge", {"t": t, "k": 1}, arrays, lr=0.1, config=config, diverged_epoch=diverged
    )
    changes = np.where(np.isin(np.arange(1, count + 1), rising), 1.0, -1)
    loss = 100 + np.concatenate([[0], np.cumsum(changes)])
    folder.write_snapshots(RUN, {"t": 2, "u": count + 1}, {"update_loss": loss, "iteration": [0, count]})


def read(folder: Any, name: str) -> float:
    quantity = QUANTITIES[name]
    content = quantity.read(RunFiles(RunSource(run=RUN, schedules={"spectra": "edge"}), folder.results), "")
    if isinstance(content, Sample):
        return content.value
    assert quantity.statistic is not None
    return quantity.statistic(content)


def test_the_first_point_above_the_edge(folder: Any) -> None:
    write(folder, [5, 19, 20, 21, 19, 22], [])
    assert read(folder, "first_crossing") == 30


def test_adam_has_no_edge_for_these_eigenvalues(folder: Any) -> None:
    write(folder, [5, 19, 20, 21, 19, 22], [], optimizer="adam")
    with pytest.raises(UnmeasuredError, match="the edge of adam bounds the preconditioned curvature"):
        read(folder, "first_crossing")


def test_shares_of_rising_updates_before_and_after(folder: Any) -> None:
    """The thirtieth update is the last one before; of the twenty after it, five raise the loss."""
    write(folder, [5, 19, 20, 21, 19, 22], [4, 9, 30, 31, 35, 40, 45, 50])
    assert read(folder, "rising_updates_before_edge") == pytest.approx(3 / 30)
    assert read(folder, "rising_updates_after_edge") == pytest.approx(5 / 20)


def test_all_updates_are_before_an_edge_that_is_never_crossed(folder: Any) -> None:
    write(folder, [5, 19, 20], [4, 20])
    assert read(folder, "rising_updates_before_edge") == pytest.approx(2 / 20)
    with pytest.raises(UnmeasuredError, match="no update after the crossing of the edge"):
        read(folder, "rising_updates_after_edge")
    with pytest.raises(UnmeasuredError, match="never exceeds the edge"):
        read(folder, "first_crossing")


def test_a_run_above_the_edge_from_its_start_has_nothing_before(folder: Any) -> None:
    write(folder, [25, 25, 25], [4, 20])
    assert read(folder, "first_crossing") == 0
    assert read(folder, "rising_updates_after_edge") == pytest.approx(2 / 20)
    with pytest.raises(UnmeasuredError, match="no update before the crossing of the edge"):
        read(folder, "rising_updates_before_edge")


@pytest.mark.parametrize("name", ["first_crossing", "rising_updates_before_edge", "rising_updates_after_edge"])
def test_a_diverged_run_gives_none(name: str, folder: Any) -> None:
    write(folder, [25, 25, 25], [4], diverged=1.5)
    with pytest.raises(UnmeasuredError, match=r"diverged at epoch 1\.5"):
        read(folder, name)


def test_a_share_has_an_error(folder: Any) -> None:
    write(folder, [25] * 101, np.flatnonzero(np.random.default_rng(0).random(1000) < 0.3))
    quantity = QUANTITIES["rising_updates_after_edge"]
    series = quantity.read(RunFiles(RunSource(run=RUN, schedules={"spectra": "edge"}), folder.results), "")
    assert isinstance(series, Series)
    assert quantity.statistic is not None
    spread = resampled(series, quantity.statistic, RUN).replicates.std()
    assert spread == pytest.approx(np.sqrt(0.3 * 0.7 / 1000), rel=0.5)
