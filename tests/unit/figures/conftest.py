"""A results folder with small files of each kind that figures read, with recognisable numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from results_folder import ResultsFolder

from sharpest.config.studies import Curve
from sharpest.figures.canvas import Canvas, FigureInputs

ALPHAS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
GRID = np.array([-8.0, -5.0, -2.0, 0.0, 2.0, 5.0, 8.0])
PARAMETERS = [["first.weight", [6, 5]], ["first.bias", [5]], ["last.weight", [3, 5]]]
INDICES = np.array([1, 3, 5, 0, -1])


def labels(figure: Canvas, index: int = 0) -> list[str]:
    """The entries of the legend of a panel."""
    return [text.get_text() for text in figure.axes[index].get_legend().get_texts()]


def foot(figure: Canvas) -> str:
    """All notes in one line."""
    return " ".join(" ".join(figure.notes).split())


def by_title(figure: Canvas) -> dict[str, Any]:
    """The panels by title."""
    return {axes.get_title(loc="left") or axes.get_title(): axes for axes in figure.axes}


def series_of(table: pd.DataFrame, panel: str, series: str) -> pd.DataFrame:
    """The points of one series."""
    return table[(table["panel"] == panel) & (table["series"] == series)]


class Folder(ResultsFolder):
    """Writes files; arrays, columns and attributes can be overridden."""

    def inputs(self, windows: Mapping[Curve, float | None] | None = None) -> FigureInputs:
        """The inputs of a figure.

        Args:
            windows: Early windows in epochs; curves without an entry have none.
        """
        by_schedule = {(curve.run, curve.schedule): window for curve, window in (windows or {}).items()}
        return FigureInputs(self.results, by_schedule)

    def spectra(
        self, curve: Curve, t: int = 8, k: int = 3, p: int = 50, diverged: float | None = None, **arrays: Any
    ) -> None:
        """Write t measurements of k eigenvalues, 10 iterations and half an epoch apart."""
        time = np.arange(t, dtype=float)
        values: dict[str, Any] = {
            "iteration": 10 * np.arange(t),
            "epoch": time / 2,
            "eigenvalues": (time[:, None] + 1) * np.arange(k, 0, -1) + 0.1,
            "converged": np.ones((t, k), dtype=bool),
            "hvps": np.full(t, 7),
            "train_loss": 2 / (time + 1),
            "train_accuracy": 0.1 + 0.05 * time,
            "val_loss": 2 / (time + 1),
            "val_accuracy": 0.1 + 0.04 * time,
        }
        sizes = {"t": t, "k": k, "v": min(t, 1), "p": p}
        if "eigenvectors" in arrays:
            values["vector_index"] = np.arange(t)
        self.write_measure("spectra", curve.run, curve.schedule, sizes, values | arrays, diverged_epoch=diverged)

    def density(self, curve: Curve, t: int = 8, **arrays: Any) -> None:
        """Write two probes of three nodes at the iterations of :meth:`spectra`; the outer ones move apart."""
        time = np.arange(t, dtype=float)
        nodes = np.tile((time[:, None, None] + 1) * [-1.0, 0.0, 3.0], (1, 2, 1))
        values: dict[str, Any] = {
            "iteration": 10 * np.arange(t),
            "epoch": time / 2,
            "nodes": nodes,
            "weights": np.tile([[0.2, 0.7, 0.1], [0.1, 0.8, 0.1]], (t, 1, 1)),
        }
        values |= arrays
        values.setdefault("lambda_max", values["nodes"].max(axis=(1, 2)))
        self.write_measure("density", curve.run, curve.schedule, {"t": t, "o": 2, "l": 3, "g": 4}, values)

    def directions(self, curve: Curve, t: int = 8, **arrays: Any) -> None:
        """Write steps along directions at the iterations of :meth:`spectra`.

        By default the loss changes by (alpha - 1) per cent along e_1, and the loss along a direction is a parabola
        that is higher at negative k in every second measurement.
        """
        time, d = np.arange(t, dtype=float), len(INDICES)
        loss = 2.0 - 0.1 * time
        tilt = np.where(time % 2, -0.01, 0.01)[:, None]
        profile = loss[:, None] + 0.004 * GRID**2 + tilt * GRID
        change = 0.01 * loss[:, None] * (ALPHAS - 1)
        values: dict[str, Any] = {
            "iteration": 10 * np.arange(t),
            "epoch": time / 2,
            "direction": INDICES,
            "gradient_norm": np.ones((t, 2)),
            "alphas": ALPHAS,
            "loss": loss,
            "loss_change": change[:, None] * np.arange(1, d + 1)[:, None],
            "grid": GRID,
            "step_length": np.ones((t, d)),
            "profile": np.repeat(profile[:, None], d, axis=1),
            "cosine": 0.1 * (time[:, None] + 1) / np.arange(1, d + 1),
        }
        values |= arrays
        values["loss_change_error"] = np.zeros_like(values["loss_change"])
        self.write_measure("directions", curve.run, curve.schedule, {"t": t, "m": 2, "d": d}, values)

    def snapshots(self, run: str, r: int = 6, k: int = 2, diverged: int = -1, **arrays: Any) -> None:
        """Write the states of a branch at iteration 40 with r refreshes, one per iteration."""
        time = np.arange(r, dtype=float)
        values: dict[str, Any] = {
            "refresh_iteration": 40 + time,
            "eigenvalues": (time[:, None] + 1) * np.arange(k, 0, -1) + 0.1,
            "converged": np.ones((r, k), dtype=bool),
            "refresh_loss": 2 / (time + 1),
        }
        sizes = {"r": r, "k": k, "t": 1, "p": 2}
        self.write_snapshots(run, sizes, values | arrays, diverged=diverged, parameters=PARAMETERS)

    def history(self, run: str, first: int = 1, last: int = 4, **columns: Any) -> None:
        """Write the history of epochs ``first`` to ``last``, of 20 iterations each."""
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
        self.write_history(run, values | columns)

    def evaluations(self, run: str, diverged: float | None = None, **arrays: Any) -> None:
        """Write end points with a test accuracy of 0.8 and a norm of 100 at the best."""
        values: dict[str, Any] = {"test_accuracy": [0.8, 0.1], "frobenius": [100, 900]}
        self.write_measure("evaluations", run, "ends", {"t": 2, "k": 3}, values | arrays, diverged_epoch=diverged)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
