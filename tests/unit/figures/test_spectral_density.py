"""Spectral densities, compared with the nodes and eigenvalues in the files."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from results_folder import LR

from sharpest.config.studies import Curve, SpectralDensity
from sharpest.figures.moments import spectral_density as draw

A, B = (Curve(run=f"run-{name.lower()}", schedule="step", label=name) for name in "AB")
UNIT = LR / 2
WIDTH = 0.002


def _study(*panels: Curve, **changes: Any) -> SpectralDensity:
    return SpectralDensity(kind="spectral_density", caption="", panels=panels, width=WIDTH, **changes)


def _series(table: pd.DataFrame, series: str, panel: str = "A") -> pd.DataFrame:
    return table[(table["panel"] == panel) & (table["series"] == series)]


def _write(folder: Any, curve: Curve = A, **arrays: Any) -> None:
    folder.density(curve, **arrays)
    folder.spectra(curve)


def test_each_node_is_a_gaussian_of_its_weight(folder: Any) -> None:
    _write(folder)
    _, table = draw(_study(A), folder.inputs(), "")
    for name, row in (("start", 0), ("end", 7)):
        rows = _series(table, name)
        expected = sum(
            weight * np.exp(-((rows["x"] - UNIT * node * (row + 1)) ** 2) / (2 * WIDTH**2))
            for node, weight in ((-1, 0.15), (0, 0.75), (3, 0.1))
        ) / (WIDTH * math.sqrt(2 * math.pi))
        # means over cells of half a width are a hundredth lower at the peak
        np.testing.assert_allclose(rows["y"], expected, atol=0.02 * expected.max())
        assert rows["y"].sum() * WIDTH / 2 == pytest.approx(1, abs=1e-10)


def test_moments(folder: Any) -> None:
    """The peak of the first eigenvalue, and shares of the run."""
    folder.density(A)
    folder.spectra(A, eigenvalues=np.array([1, 2, 3, 9, 3, 2, 1, 1.0])[:, None] * [3.0, 2.0, 1.0])
    figure, table = draw(_study(A, moments=("peak", 0.3)), folder.inputs(), "")
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["peak (epoch 1.5)", "30 % (epoch 1)"]
    for name, row in (("peak", 3), ("30 %", 2)):
        assert _series(table, name)["x"].max() == pytest.approx(UNIT * 3 * (row + 1) + 7 * WIDTH, abs=WIDTH)
    assert np.allclose(_series(table, "eigenvalues, peak")["x"], UNIT * 9 * np.array([3, 2, 1]))


def test_the_edge_is_drawn_where_eigenvalues_come_near_it(folder: Any) -> None:
    _write(folder)
    _write(folder, B, nodes=np.tile([[-1.0, 0.0, 0.9 / UNIT]], (8, 2, 1)))
    figure, _ = draw(_study(A, B), folder.inputs(), "")
    edges = [[line for line in axes.lines if list(line.get_xdata()) == [1, 1]] for axes in figure.axes]
    assert [len(lines) for lines in edges] == [0, 1]


def test_non_finite_points_are_skipped(folder: Any) -> None:
    nodes = np.tile([[-1.0, 0.0, 3.0]], (8, 2, 1))
    nodes[5:] = np.nan
    _write(folder, nodes=nodes)
    _write(folder, B, nodes=np.full((8, 2, 3), np.nan))
    figure, _ = draw(_study(A, B), folder.inputs(), "")
    assert figure.axes[0].get_legend().get_texts()[-1].get_text() == "end (epoch 2)"
    assert [text.get_text() for text in figure.axes[1].texts] == ["no finite measurement"]


def test_a_mean_counts_a_seed_as_zero_outside_its_grid(folder: Any) -> None:
    """Three seeds have outliers at three places: each peak has a third of its height, and the mean has integral 1."""
    study = _study(A.model_copy(update={"run": "scnn-c10-sgd-lr0.1-S128-s777"}), moments=("end",))
    study = study.of_seeds((1001, 1002, 1003))
    for curve, outlier in zip(study.curves_by_seed(), (3.0, 6.0, 9.0), strict=True):
        _write(folder, curve, nodes=np.tile([[-1.0, 0.0, outlier]], (8, 2, 1)))
    _, table = draw(study, folder.inputs(), "")
    rows = _series(table, "end")
    mean = rows[rows["run"] == "mean of 1001, 1002, 1003"]
    assert mean["y"].sum() * WIDTH / 2 == pytest.approx(1, abs=1e-10)
    for outlier, run in zip((3.0, 6.0, 9.0), study.runs(), strict=True):
        own = rows[(rows["run"] == run) & (rows["x"] > UNIT * outlier - 3 * WIDTH)]
        at = mean.set_index("x")["y"].reindex(own["x"])
        np.testing.assert_allclose(at, own["y"] / 3)
