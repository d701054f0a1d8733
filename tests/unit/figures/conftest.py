"""Small spectrum and directions files with numbers that a test can follow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sharpest.store.directions import DIRECTIONS
from sharpest.store.file import write_stored
from sharpest.store.layout import Layout
from sharpest.store.spectrum import SPECTRUM

ALPHAS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
GRID = np.array([-8.0, -5.0, -2.0, 0.0, 2.0, 5.0, 8.0])
INDICES = np.array([1, 3, 5, 0, -1])

Build = Callable[..., Path]


def _attributes(layout: Layout) -> dict[str, Any]:
    return dict.fromkeys(layout.attributes, "synthetic")


@pytest.fixture
def spectrum_file(tmp_path: Path) -> Build:
    """Write a spectrum file of t measurements, 10 iterations and half an epoch apart; arrays can be replaced."""

    def build(name: str, t: int = 8, k: int = 3, p: int = 50, **arrays: Any) -> Path:
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
            "vector_index": np.zeros(1),
            "eigenvectors": np.zeros((1, k, p)),
        }
        path = tmp_path / f"spectrum-{name}.h5"
        write_stored(path, SPECTRUM, values | arrays, _attributes(SPECTRUM))
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
