"""One frame of all runs: a row per value, with what describes its run."""

import numpy as np
import pytest
from results_folder import ResultsFolder

from sharpest.errors import StoreError
from sharpest.results.runs import Results

RUNS = {"scnn-c10-sgd-lr0.1-S8-m0.5-s777": 0.5, "vgg-fm-adam-lr0.01-S128-s778": 0.0}
COLUMNS = ["run", "net", "data", "optimizer", "lr", "momentum", "schedule", "iteration", "epoch", "index", "value"]


@pytest.fixture
def results(tmp_path) -> Results:
    folder = ResultsFolder(tmp_path / "quick")
    for number, (run, momentum) in enumerate(RUNS.items()):
        folder.write_snapshots(run, {"t": 1}, {})
        for schedule in ("step", "grid"):
            arrays = {
                "iteration": [0, 5], "epoch": [0, 0.5], "eigenvalues": np.arange(6).reshape(2, 3) + 10 * number,
                "hvps": [7, 8],
            }  # fmt: skip
            config = {"run": {"momentum": momentum}}
            folder.write_measure("spectra", run, schedule, {"t": 2, "k": 3, "p": 3}, arrays, config=config)
    return folder.results


def test_a_row_for_each_eigenvalue(results):
    frame = results.to_frame("spectra")
    assert list(frame.columns) == COLUMNS
    assert len(frame) == 2 * 2 * 2 * 3
    for number, (run, momentum) in enumerate(RUNS.items()):
        for schedule in ("grid", "step"):
            part = frame[(frame["run"] == run) & (frame["schedule"] == schedule)]
            assert part["iteration"].tolist() == [0, 0, 0, 5, 5, 5]
            assert part["epoch"].tolist() == [0, 0, 0, 0.5, 0.5, 0.5]
            assert part["index"].tolist() == [0, 1, 2, 0, 1, 2]
            assert part["value"].tolist() == [10 * number + value for value in range(6)]
            (described,) = part[COLUMNS[1:6]].drop_duplicates().itertuples(index=False)
            assert tuple(described) == (*run.split("-")[:3], 0.03, momentum)


def test_an_array_of_one_value_for_each_point(results):
    frame = results.to_frame("spectra", "hvps")
    assert frame["value"].tolist() == [7, 8] * 4
    assert set(frame["index"]) == {0}


def test_what_has_no_such_rows_is_refused(results):
    with pytest.raises(StoreError, match=r"not 'eigenvectors': eigenvalues, .*; others are in to_xarray$"):
        results.to_frame("spectra", "eigenvectors")
    with pytest.raises(StoreError, match=r"quick has no trace; it has spectra$"):
        results.to_frame("trace")
