"""The end points of a run by name, and the other numbers that tables read."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sealed import changed

from sharpest.measures.evaluations import MEASURE, Evaluations, accuracy_at, median_seconds
from sharpest.results.file import write_stored

SETTINGS = {"examples": 30, "early_epoch": 7}


@pytest.fixture
def evaluations(tmp_path: Path) -> Evaluations:
    """Two points, three eigenvalues; every number shows its position."""
    path = tmp_path / "ends.h5"
    arrays = {
        dataset.name: (np.arange(6).reshape(2, 3) if len(dataset.dims) == 2 else np.array([10, 20])).astype(
            dataset.dtype
        )
        for dataset in MEASURE.layout.datasets
    }
    arrays["converged"] = np.array([[True, False, True], [False, False, True]])
    write_stored(path, MEASURE.layout, arrays, {**dict.fromkeys(MEASURE.layout.attributes, ""), "settings": SETTINGS})
    return Evaluations(path)


def test_the_best_comes_before_the_last(evaluations):
    with changed(evaluations.path) as file:
        file["test_accuracy"][:] = [0.75, 0.5]
    again = Evaluations(evaluations.path)
    assert (again.best("test_accuracy"), again.last("test_accuracy")) == (0.75, 0.5)
    assert (again.best("distance"), again.last("distance")) == (10, 20)


def test_settings_and_missed_eigenvalues(evaluations):
    assert (evaluations.num_examples, evaluations.early_epoch, evaluations.num_missed) == (30, 7, 3)


def test_the_early_accuracy_is_that_of_the_epochs_end() -> None:
    history = pd.DataFrame({"epoch": [1.0, 2.0], "val_accuracy": [0.25, 0.5]})
    assert accuracy_at(history, 2) == 0.5
    assert math.isnan(accuracy_at(history, 3))


def test_the_time_of_an_epoch_is_the_median():
    assert median_seconds({"epoch_seconds": np.array([1.0, 2.0, 90.0])}) == 2
    assert math.isnan(median_seconds({"epoch_seconds": np.array([])}))
