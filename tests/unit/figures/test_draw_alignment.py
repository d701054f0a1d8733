"""The alignment panels against numbers worked out by hand."""

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex

from sharpest.config.studies import Alignment, Curve, Panel
from sharpest.figures.alignment import draw
from sharpest.figures.canvas import ordered_colours
from sharpest.measures.directions import random_cosine

CURVES = tuple(Curve(run=f"run-{lr}", schedule="alignment", label=f"η = {lr}") for lr in (0.001, 0.01, 0.1))


def _study(smoothing: int, curves: tuple[Curve, ...] = CURVES) -> Alignment:
    panel = Panel(title="A", curves=curves)
    return Alignment(kind="alignment", caption="", panels=(panel,), smoothing=smoothing)


def test_points_are_running_means_over_the_eigenvectors_against_accuracy(folder: Any) -> None:
    cosine = np.zeros((4, 5))
    cosine[:, :3] = np.array([1, 2, 3, 4])[:, None] * np.array([0.16, 0.1, 0.04])
    cosine[:, 3:] = 9  # the full step and the random direction do not count
    folder.spectra(CURVES[0], t=4, train_accuracy=[0.1, 0.2, 0.6, 0.7])
    folder.directions(CURVES[0], t=4, cosine=cosine)
    figure, table = draw(_study(2, CURVES[:1]), folder.inputs(), "")
    rows = table[table["series"] == "η = 0.001"]
    assert np.allclose(rows["x"], [15, 40, 65])
    assert np.allclose(rows["y"], [0.15, 0.25, 0.35])
    (cloud,) = figure.axes[0].collections
    assert np.array_equal(cloud.get_offsets(), rows[["x", "y"]])
    assert cloud.get_label() == "η = 0.001 (max $e_1$ 0.56)"


def test_measurements_are_matched_by_iteration_and_unmeasured_ones_skipped(folder: Any) -> None:
    folder.spectra(CURVES[0], t=4, train_accuracy=[0.1, np.nan, 0.3, 0.4])
    folder.directions(CURVES[0], t=3, iteration=[10, 20, 30])
    _, table = draw(_study(1, CURVES[:1]), folder.inputs(), "")
    assert np.allclose(table.loc[table["run"] != "", "x"], [30, 40])


def test_colours_and_the_level_of_chance(folder: Any) -> None:
    for curve in CURVES:
        folder.spectra(curve)
        folder.directions(curve)
    figure, table = draw(_study(2), folder.inputs(), "")
    colours = [to_hex(cloud.get_facecolor()[0][:3]) for cloud in figure.axes[0].collections]
    assert colours == ordered_colours(3)
    (chance,) = figure.axes[0].lines
    rows = table[table["series"] == "two random vectors"]
    assert np.array_equal(chance.get_xydata(), rows[["x", "y"]])
    assert np.allclose(rows["y"], random_cosine(50))
    assert len(table) == 2 + sum(len(cloud.get_offsets()) for cloud in figure.axes[0].collections)
    assert set(table["run"]) == {"", *(curve.run for curve in CURVES)}


@pytest.mark.parametrize(
    ("num_parameters", "expected"),
    [(1, 1.0), (2, 2 / np.pi), (3, 0.5), (350_000, 0.00135)],  # the last value is printed in the paper's code
)
def test_random_cosine_is_the_closed_form(num_parameters: int, expected: float) -> None:
    assert random_cosine(num_parameters) == pytest.approx(expected, rel=2e-3)
