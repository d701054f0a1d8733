"""The history of a run, with or without its states."""

from pathlib import Path

import pytest
from results_folder import ResultsFolder

from sharpest.errors import StoreError

RUN = "scnn-c10-sgd-lr0.1-S8-s777"
COLUMNS = {"epoch": [1, 2], "val_accuracy": [0.25, 0.5]}


def test_it_is_read_without_the_states(tmp_path: Path) -> None:
    """States are large and may have been deleted."""
    folder = ResultsFolder(tmp_path)
    folder.write_history(RUN, COLUMNS)
    history = folder.results[RUN].history
    assert history["val_accuracy"].tolist() == [0.25, 0.5]
    assert all(kind.kind == "f" for kind in history.dtypes)


def test_a_missing_history_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "results/quick")
    folder.write_snapshots(RUN, {"t": 1}, {})
    with pytest.raises(StoreError, match=r"history\.csv: does not exist; make it with: snakemake") as caught:
        _ = folder.results[RUN].history
    assert "\n" not in str(caught.value)


def test_a_run_that_was_not_trained_is_refused_with_the_nearest_id(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    folder.write_snapshots(RUN, {"t": 1}, {})
    with pytest.raises(StoreError, match=f"no run .*; did you mean {RUN}"):
        _ = folder.results[RUN.replace("S8", "S9")].history
