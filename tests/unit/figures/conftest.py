"""Small files of each kind that figures read, with numbers that a test can follow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sharpest.measures.directions import DIRECTIONS
from sharpest.measures.evaluations import EVALUATION
from sharpest.measures.spectra import SPECTRUM
from sharpest.results.file import write_stored
from sharpest.results.layout import Layout
from sharpest.results.snapshots import SNAPSHOTS

ALPHAS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
GRID = np.array([-8.0, -5.0, -2.0, 0.0, 2.0, 5.0, 8.0])
INDICES = np.array([1, 3, 5, 0, -1])

Build = Callable[..., Path]


def _attributes(layout: Layout) -> dict[str, Any]:
    return dict.fromkeys(layout.attributes, "synthetic")


@pytest.fixture
def spectrum_file(tmp_path: Path) -> Build:
    """Write a spectrum file of t measurements, 10 iterations and half an epoch apart; arrays can be replaced."""

    def build(
        name: str, t: int = 8, k: int = 3, p: int = 50, diverged_epoch: float | None = None, **arrays: Any
    ) -> Path:
        time = np.arange(t, dtype=float)
        values: dict[str, Any] = {
            "iteration": 10 * np.arange(t),
            "epoch": time / 2,
            "eigenvalues": (time[:, None] + 1) * np.arange(k, 0, -1) + 0.1,
            "residuals": np.zeros((t, k)),
            "converged": np.ones((t, k), dtype=bool),
            "hvps": np.full(t, 7),
            "seconds": np.zeros(t),
            "train_loss": 2 / (time + 1),
            "train_accuracy": 0.1 + 0.05 * time,
            "val_loss": 2 / (time + 1),
            "val_accuracy": 0.1 + 0.04 * time,
            "vector_index": np.zeros(min(t, 1)),
            "eigenvectors": np.zeros((min(t, 1), k, p)),
        }
        path = tmp_path / f"spectrum-{name}.h5"
        write_stored(path, SPECTRUM, values | arrays, _attributes(SPECTRUM) | {"diverged_epoch": diverged_epoch})
        return path

    return build


@pytest.fixture
def directions_file(tmp_path: Path) -> Build:
    """Write a directions file at the iterations of ``spectrum_file``; arrays can be replaced.

    By default the loss changes by (alpha - 1) per cent along e_1, and the loss along a direction is a parabola that
    is higher at negative k in every second measurement.
    """

    def build(name: str, t: int = 8, **arrays: Any) -> Path:
        time, d = np.arange(t, dtype=float), len(INDICES)
        loss = 2.0 - 0.1 * time
        tilt = np.where(time % 2, -0.01, 0.01)[:, None]
        profile = loss[:, None] + 0.004 * GRID**2 + tilt * GRID
        change = 0.01 * loss[:, None] * (ALPHAS - 1)
        values: dict[str, Any] = {
            "iteration": 10 * np.arange(t),
            "epoch": time / 2,
            "direction": INDICES,
            "projection": np.zeros((t, 2, d)),
            "gradient_norm": np.ones((t, 2)),
            "alphas": ALPHAS,
            "loss": loss,
            "loss_change": change[:, None] * np.arange(1, d + 1)[:, None],
            "grid": GRID,
            "step_length": np.ones((t, d)),
            "profile": np.repeat(profile[:, None], d, axis=1),
            "cosine": 0.1 * (time[:, None] + 1) / np.arange(1, d + 1),
        }
        path = tmp_path / f"directions-{name}.h5"
        write_stored(path, DIRECTIONS, values | arrays, _attributes(DIRECTIONS))
        return path

    return build


@pytest.fixture
def snapshots_file(tmp_path: Path) -> Build:
    """Write a snapshots file of a branch at iteration 40 with r refreshes, one an iteration; arrays can be replaced."""

    def build(name: str, r: int = 6, k: int = 2, diverged: int = -1, **arrays: Any) -> Path:
        time = np.arange(r, dtype=float)
        values: dict[str, Any] = {
            dataset.name: np.zeros([{"r": r, "k": k, "t": 1, "p": 2}.get(letter, 0) for letter in dataset.dims])
            for dataset in SNAPSHOTS.datasets
        }
        values |= {
            "refresh_iteration": 40 + time,
            "eigenvalues": (time[:, None] + 1) * np.arange(k, 0, -1) + 0.1,
            "converged": np.ones((r, k), dtype=bool),
            "refresh_loss": 2 / (time + 1),
        }
        path = tmp_path / f"snapshots-{name}.h5"
        write_stored(path, SNAPSHOTS, values | arrays, _attributes(SNAPSHOTS) | {"diverged": diverged})
        return path

    return build


@pytest.fixture
def history_file(tmp_path: Path) -> Build:
    """Write the history of epochs ``first`` to ``last``, of 20 iterations each; columns can be replaced."""

    def build(name: str, first: int = 1, last: int = 4, **columns: Any) -> Path:
        epoch = np.arange(first, last + 1)
        values: dict[str, Any] = {
            "iteration": 20 * epoch,
            "epoch": epoch.astype(float),
            "lr": 0.1,
            "train_loss": 2 / epoch,
            "train_accuracy": 0.1 * epoch,
            "val_loss": 2 / epoch,
            "val_accuracy": 0.08 * epoch,
        }
        path = tmp_path / f"history-{name}.csv"
        pd.DataFrame(values | columns).to_csv(path, index=False)
        return path

    return build


@pytest.fixture
def evaluation_file(tmp_path: Path) -> Build:
    """Write an evaluation file whose test accuracy is 0.8 and norm 100 at the best; arrays can be replaced."""

    def build(name: str, diverged_epoch: float | None = None, **arrays: Any) -> Path:
        values: dict[str, Any] = {
            dataset.name: np.zeros([{"e": 2, "k": 3}[letter] for letter in dataset.dims])
            for dataset in EVALUATION.datasets
        }
        values |= {"test_accuracy": [0.8, 0.1], "frobenius": [100, 900]}
        path = tmp_path / f"evaluation-{name}.h5"
        write_stored(path, EVALUATION, values | arrays, _attributes(EVALUATION) | {"diverged_epoch": diverged_epoch})
        return path

    return build
