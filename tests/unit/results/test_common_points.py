"""Measures of one run are joined by iteration, never by index."""

from pathlib import Path

import numpy as np
import pytest
from results_folder import ResultsFolder

from sharpest.measures.directions import Directions
from sharpest.measures.spectra import Spectra
from sharpest.results.stored import common_points

RUN = "scnn-c10-sgd-lr0.1-S8-s777"


@pytest.fixture
def folder(tmp_path: Path) -> ResultsFolder:
    return ResultsFolder(tmp_path)


def read(folder: ResultsFolder, spectra: list[int], directions: list[int]) -> tuple[Spectra, Directions]:
    """Files whose largest eigenvalue and loss are the iteration and a hundred times the iteration."""
    values = {"iteration": spectra, "eigenvalues": np.array(spectra, float)[:, None]}
    folder.write_measure("spectra", RUN, "step", {"t": len(spectra), "k": 1, "v": 1, "p": 3}, values)
    values = {"iteration": directions, "loss": 100 * np.array(directions), "direction": [1], "grid": [0, 1]}
    folder.write_measure("directions", RUN, "step", {"t": len(directions), "m": 2, "d": 1, "g": 2}, values)
    results = folder.results[RUN]
    return results.read(Spectra, "step"), results.read(Directions, "step")


@pytest.mark.parametrize(
    ("spectra", "directions", "shared"),
    [
        ([0, 10, 20, 30], [0, 10, 20, 30], [0, 10, 20, 30]),
        ([0, 10, 20, 30], [10, 30], [10, 30]),
        ([10, 30], [0, 10, 20, 30], [10, 30]),
        ([0, 10, 20], [10, 20, 30], [10, 20]),  # equally many of each, shifted by one
        ([0, 10], [20, 30], []),
        ([], [0], []),
    ],
)
def test_rows_of_the_same_iteration_are_joined(
    folder: ResultsFolder, spectra: list[int], directions: list[int], shared: list[int]
) -> None:
    of_spectra, of_directions = common_points(*read(folder, spectra, directions))
    assert of_spectra.iteration.tolist() == of_directions.iteration.tolist() == shared
    assert of_spectra.lambda_max.tolist() == shared
    assert of_directions.loss.tolist() == [100 * iteration for iteration in shared]


def test_constants_and_the_file_are_unchanged(folder: ResultsFolder) -> None:
    spectra, directions = read(folder, [0, 10, 20], [20])
    _, part = common_points(spectra, directions)
    assert part.grid.tolist() == [0, 1]
    assert part.along(1).projection.shape == (1, 2)
    assert (part.shape("loss"), part.shape("grid")) == ((1,), (2,))
    assert spectra.iteration.tolist() == [0, 10, 20]
    assert spectra.num_parameters == 3
