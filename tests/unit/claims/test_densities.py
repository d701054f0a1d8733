"""Outliers, bulk and negative eigenvalues of a density with known nodes."""

from typing import Any

import numpy as np
import pytest

from sharpest.claims.quantities import QUANTITIES
from sharpest.claims.quantity import RunFiles, RunSource
from sharpest.claims.shapes import UnmeasuredError
from sharpest.claims.verdicts import Sample

RUN = "scnn-c10-sgd-lr0.1-S128-s1"
NODES = [[-0.4, 0.05, 0.5, 10.0], [-0.2, 0.1, 2.0, 8.0]]
WEIGHTS = [[0.2, 0.7, 0.06, 0.04], [0.1, 0.8, 0.06, 0.04]]


def write(folder: Any, diverged: float | None = None) -> None:
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
    folder.write_measure("density", RUN, "step", sizes, points | arrays, config=config, diverged_epoch=diverged)
    folder.write_measure("spectra", RUN, "step", {"t": 2, "k": 1, "v": 0, "p": 100}, points, config=config)


def read(folder: Any, name: str) -> Sample:
    files = RunFiles(RunSource(run=RUN, schedules={"density": "step", "spectra": "step"}), folder.results)
    content = QUANTITIES[name].read(files, "")
    assert isinstance(content, Sample)
    return content


def test_outliers_are_counted_and_the_bulk_is_a_share(folder: Any) -> None:
    """Above 0.5, a twentieth of the highest node of all probes, and within that distance of zero."""
    write(folder)
    outliers, bulk = read(folder, "density_outliers"), read(folder, "density_bulk")
    assert (outliers.value, outliers.error) == (pytest.approx(7), pytest.approx(3, rel=0.15))  # of 200 replicates
    assert (bulk.value, bulk.error) == (pytest.approx(0.93), pytest.approx(0.03, rel=0.15))


def test_the_lowest_over_the_highest(folder: Any) -> None:
    write(folder)
    assert read(folder, "density_negative").value == pytest.approx(0.04)


@pytest.mark.parametrize("name", ["density_outliers", "density_bulk", "density_negative"])
def test_a_run_that_diverged_has_none(name: str, folder: Any) -> None:
    write(folder, diverged=0.5)
    with pytest.raises(UnmeasuredError, match="diverged"):
        read(folder, name)
