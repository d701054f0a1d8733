"""Steps by direction and by scale."""

from pathlib import Path

import numpy as np
import pytest
from results_folder import ResultsFolder

from sharpest.measures.directions import Directions, random_cosine

SIZES = {"t": 2, "d": 3, "m": 4, "a": 3, "g": 5}
INDICES = [3, 0, -1]
ALPHAS = [0.5, 1.0, 4.0]


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {
        "cosine": "td",
        "projection": "tmd",
        "step_length": "td",
        "profile": "tdg",
        "loss_change": "tda",
        "loss_change_error": "tda",
        "loss": "t",
    }
    values = {name: rng.standard_normal([SIZES[letter] for letter in dims]) for name, dims in shapes.items()}
    return {**values, "direction": np.array(INDICES), "alphas": np.array(ALPHAS), "grid": np.arange(-2.0, 3.0)}


@pytest.fixture
def directions(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Directions:
    folder = ResultsFolder(tmp_path)
    folder.write_measure("directions", "run", "step", SIZES, arrays)
    return folder.results["run"].directions("step")


@pytest.mark.parametrize(("index", "place"), [(3, 0), (0, 1), (-1, 2)])
def test_along_a_direction_every_array_is_that_of_the_direction(directions, arrays, index, place) -> None:
    along = directions.along(index)
    np.testing.assert_array_equal(along.cosine, arrays["cosine"][:, place])
    np.testing.assert_array_equal(along.projection, arrays["projection"][:, :, place])
    np.testing.assert_array_equal(along.step_length, arrays["step_length"][:, place])
    np.testing.assert_array_equal(along.profile, arrays["profile"][:, place])
    np.testing.assert_array_equal(along.loss_change, arrays["loss_change"][:, place])
    for column, alpha in enumerate(ALPHAS):
        np.testing.assert_array_equal(along.at(alpha), arrays["loss_change"][:, place, column])


def test_the_nearest_measured_alpha_is_taken(directions, arrays) -> None:
    for alpha, column in ((0.0, 0), (0.74, 0), (0.76, 1), (2.4, 1), (2.6, 2), (100.0, 2)):
        np.testing.assert_array_equal(directions.along(3).at(alpha), arrays["loss_change"][:, 0, column])


def test_a_direction_that_was_not_measured_is_named_with_those_that_were(directions) -> None:
    with pytest.raises(KeyError, match=r"step\.h5 holds the directions \[3, 0, -1\], not 1"):
        directions.along(1)


def test_without_alphas_there_is_no_change(tmp_path, arrays) -> None:
    folder = ResultsFolder(tmp_path)
    without = {
        **arrays,
        "alphas": np.zeros(0),
        "loss_change": np.zeros((2, 3, 0)),
        "loss_change_error": np.zeros((2, 3, 0)),
    }
    folder.write_measure("directions", "run", "step", SIZES, without)
    along = folder.results["run"].directions("step").along(3)
    assert along.loss_change.shape == (2, 0)
    with pytest.raises(KeyError, match="no change of the loss by scaled steps was measured"):
        along.at(1.0)


def test_arrays_shared_by_all_directions(directions, arrays) -> None:
    np.testing.assert_array_equal(directions.loss, arrays["loss"])
    assert (directions.alphas.tolist(), directions.grid.tolist()) == (ALPHAS, [-2, -1, 0, 1, 2])


def test_alignment_is_the_mean_over_eigenvectors_only(tmp_path, arrays) -> None:
    folder = ResultsFolder(tmp_path)
    folder.write_measure("directions", "run", "step", SIZES, {**arrays, "direction": np.array([1, 0, 2])})
    taken = folder.results["run"].directions("step")
    np.testing.assert_allclose(taken.alignment, arrays["cosine"][:, [0, 2]].mean(axis=1))


def test_alignment_of_two_random_directions() -> None:
    """Compared with samples of four parameters, and with the paper's number for 350,000."""
    drawn = np.random.default_rng(0).standard_normal((200_000, 4))
    exact = np.abs(drawn[:, 0] / np.linalg.norm(drawn, axis=1)).mean()
    assert random_cosine(4) == pytest.approx(exact, abs=0.002)
    assert random_cosine(350_000) == pytest.approx(0.00135, abs=5e-6)
    assert random_cosine(1) == pytest.approx(1)
