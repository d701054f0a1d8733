"""A tiny run, really trained and measured, under the name of one of the paper's runs."""

from pathlib import Path

import pytest
from builders import Run, run_settings

RUN = "scnn-c10-sgd-lr0.01-S128-s777"


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Measured at iterations 0, 7 and 12 with schedule ``step``, and with two eigenpairs at 4 and 12 with ``grid``."""
    run = Run(tmp_path_factory.mktemp("commands") / "results", run_settings(run=RUN, momentum=0.5)).train()
    run.measure_spectrum([4, 12], schedule="grid", num_eigenpairs=2, keep_vectors=False)
    return run.measure_spectrum([0, 7, 12])


@pytest.fixture
def folder(measured: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds its results, as the current folder."""
    monkeypatch.chdir(measured.results.parent)
    return measured.results.parent
