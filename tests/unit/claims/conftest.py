"""A folder of results with small files of each kind that claims read."""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from sharpest.claims.ledger import Claim, read_ledger
from sharpest.config.project import Project, load_project
from sharpest.measures.directions import DIRECTIONS
from sharpest.measures.evaluations import EVALUATION
from sharpest.measures.spectra import SPECTRUM
from sharpest.results.file import write_stored
from sharpest.results.layout import Layout
from sharpest.results.snapshots import SNAPSHOTS

CONFIG = Path(__file__).parents[3] / "config"
PARAMETERS = 50


@pytest.fixture(scope="session")
def ledger() -> tuple[Claim, ...]:
    return read_ledger(CONFIG / "claims.csv")


@pytest.fixture(scope="session")
def configured() -> Callable[[str], Project]:
    """The configuration of this checkout at a scale."""

    @cache
    def load(scale: str) -> Project:
        return load_project(yaml.safe_load((CONFIG / "config.yaml").read_text()) | {"scale": scale}, CONFIG)

    return load


class Folder:
    """Writes files below ``results``; what a test does not give is zero."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def spectrum(
        self, run: str, schedule: str, curves: Any, diverged: float | None = None, norm: bool = False, **arrays: Any
    ) -> None:
        """Eigenvalues (t,) or (t, k), an epoch of 10 iterations apart."""
        eigenvalues = np.asarray(curves, dtype=float).reshape(len(curves), -1)
        t, k = eigenvalues.shape
        sizes = {"t": t, "k": k, "v": 0, "p": PARAMETERS}
        values = {"iteration": 10 * np.arange(t), "epoch": np.arange(t), "eigenvalues": eigenvalues}
        facts = {"diverged_epoch": diverged, "config": {"run": {"lr": 0.03, "model": {"batch_norm": norm}}}}
        self._write(f"spectra/{run}/{schedule}.h5", SPECTRUM, sizes, values | arrays, facts)

    def directions(self, run: str, schedule: str, t: int, **arrays: Any) -> None:
        """Directions 1, 3 and 5 at the points of :meth:`spectrum`, with one gradient; L = 2 throughout."""
        alphas, grid = np.array([0.25, 0.5, 1, 2, 4]), np.array([-5.0, -1, 0, 1, 5])
        sizes = {"t": t, "m": 1, "d": 3, "a": len(alphas), "g": len(grid)}
        values = {
            "iteration": 10 * np.arange(t), "epoch": np.arange(t), "direction": [1, 3, 5], "alphas": alphas,
            "grid": grid, "loss": np.full(t, 2.0),
        }  # fmt: skip
        self._write(f"directions/{run}/{schedule}.h5", DIRECTIONS, sizes, values | arrays, {})

    def evaluation(self, run: str, diverged: float | None = None, early: float = 0.5, **arrays: Any) -> None:
        """End points of a run on 100 test images."""
        facts = {
            "diverged_epoch": diverged,
            "early_epoch": 4,
            "val_accuracy_early": early,
            "epoch_seconds": 1.5,
            "config": {"run": {"dataset": {"source": "digits", "test": 100, "val": 100}}},
        }
        self._write(f"evaluations/{run}.h5", EVALUATION, {"e": 2, "k": 3}, arrays, facts)

    def snapshots(self, run: str, diverged: int = -1, **arrays: Any) -> None:
        """A branch from iteration 40 whose directions were computed at each of the given losses."""
        count = len(arrays["refresh_loss"])
        sizes = {"r": count, "k": 1, "t": 1, "p": 2}
        values = {"refresh_iteration": 40 + np.arange(count)}
        self._write(f"runs/{run}/snapshots.h5", SNAPSHOTS, sizes, values | arrays, {"diverged": diverged})

    def history(self, run: str, accuracies: Iterable[float]) -> None:
        """An epoch a row."""
        values = list(accuracies)
        table = pd.DataFrame({"epoch": range(1, len(values) + 1), "val_accuracy": values, "val_loss": 1.0})
        path = self.path / f"runs/{run}/history.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        table.assign(train_accuracy=table["val_accuracy"]).to_csv(path, index=False)

    def _write(
        self, path: str, layout: Layout, sizes: dict[str, int], values: dict[str, Any], facts: dict[str, Any]
    ) -> None:
        empty = {
            dataset.name: np.zeros([sizes.get(letter, 0) for letter in dataset.dims]) for dataset in layout.datasets
        }
        attributes: dict[str, Any] = dict.fromkeys(layout.attributes, "synthetic")
        write_stored(self.path / path, layout, empty | values, attributes | facts)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
