"""What a spectrum file holds at each of its points."""

import numpy as np
import pytest
import torch
from builders import MEASUREMENT, Run, hessian_settings, run_settings

from sharpest.store.file import open_stored
from sharpest.store.snapshots import SNAPSHOTS
from sharpest.store.spectrum import SPECTRUM
from sharpest.training.eigenpairs import solve_eigenpairs
from sharpest.training.replay import Replay

POINTS = [0, 3, 10, 17]
TOLERANCE = 1e-4  # a loose one may miss a pair for another
HESSIAN = hessian_settings(tolerance=TOLERANCE, chunk_size=20)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    run = Run(tmp_path_factory.mktemp("spectra")).train()
    return run.measure_spectrum([*POINTS, 21, 500], accuracy_every=2, hessian=HESSIAN)


@pytest.fixture(scope="module")
def measured(run) -> dict[str, np.ndarray]:
    with open_stored(run.spectrum(), SPECTRUM) as file:
        return {dataset.name: file[dataset.name] for dataset in SPECTRUM.datasets}


def test_points_after_the_end_are_left_out(run, measured):
    assert measured["iteration"].tolist() == POINTS
    np.testing.assert_array_equal(measured["epoch"], np.array(POINTS) / 5)
    with open_stored(run.spectrum(), SPECTRUM) as file:
        assert file.attributes["planned_points"] == 6
        assert (file.attributes["replays_checked"], file.attributes["replay_drift"]) == (2, 0.0)


def test_eigenpairs_are_those_of_the_states(run, measured):
    """Each by a solve of its own, without the warm start of the point before."""
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        problem = run.problem()
        for row, state in enumerate(Replay(problem, file).states(POINTS)):
            cold = solve_eigenpairs(problem, state.theta, state.iteration, HESSIAN, 3, None)
            largest = np.abs(cold.eigenvalues).max()
            # an eigenvalue errs by no more than its residual
            np.testing.assert_allclose(measured["eigenvalues"][row], cold.eigenvalues, atol=2 * TOLERANCE * largest)
            along = np.abs(measured["eigenvectors"][row][0] @ cold.eigenvectors[0].numpy())
            assert along > 0.98
    assert (np.diff(measured["eigenvalues"], axis=1) <= 0).all()
    assert measured["converged"].all()
    assert (measured["residuals"] <= TOLERANCE).all()
    np.testing.assert_allclose(np.linalg.norm(measured["eigenvectors"], axis=2), 1, rtol=1e-5)


def test_each_solve_starts_from_the_vectors_of_the_point_before(run, measured, monkeypatch):
    warm = []
    real = solve_eigenpairs

    def listening(*given):
        warm.append(given[-1])
        return real(*given)

    monkeypatch.setattr("sharpest.spectra.measure.solve_eigenpairs", listening)
    run.measure_spectrum(POINTS, schedule="again", hessian=HESSIAN)
    assert warm[0] is None
    for start, vectors in zip(warm[1:], measured["eigenvectors"], strict=False):
        torch.testing.assert_close(start, torch.from_numpy(vectors).sum(dim=0), atol=1e-6, rtol=0)


def test_losses_and_accuracies_are_taken_at_every_second_point(run, measured):
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        problem = run.problem()
        theta = [state.theta for state in Replay(problem, file).states(POINTS)]
    train, val = problem.data.train.first(MEASUREMENT.accuracy_examples), problem.data.val
    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    for row in (0, 2):
        expected = problem.evaluate(theta[row], train) + problem.evaluate(theta[row], val)
        assert tuple(measured[name][row] for name in names) == expected
    assert all(np.isnan(measured[name][[1, 3]]).all() for name in names)


def test_vectors_are_kept_where_they_are_asked_for(run):
    run.measure_spectrum([0, 3], schedule="values", keep_vectors=False, accuracy_every=0, hessian=HESSIAN)
    with open_stored(run.spectrum("values"), SPECTRUM) as file:
        assert file.shape("eigenvectors") == (0, 3, 365)
        assert file["vector_index"].tolist() == []
        assert file.shape("eigenvalues") == (2, 3)
        assert np.isnan(file["train_loss"]).all()


def test_the_order_of_points_and_what_else_is_measured_do_not_matter(run, measured):
    """A point alone has the values it has among others, within the tolerance; the first of all has its bits."""
    for row, point in ((0, 0), (2, 10)):
        run.measure_spectrum([point], schedule="one", hessian=HESSIAN)
        with open_stored(run.spectrum("one"), SPECTRUM) as file:
            alone = file["eigenvalues"][0]
        allowed = 2 * TOLERANCE * np.abs(alone).max() if row else 0
        np.testing.assert_allclose(alone, measured["eigenvalues"][row], atol=allowed, rtol=0)


def test_no_more_eigenpairs_than_parameters_and_no_points_at_all(tmp_path):
    run = Run(tmp_path, run_settings(epochs=1)).train()
    run.measure_spectrum([999], num_eigenpairs=1000, hessian=HESSIAN)
    with open_stored(run.spectrum(), SPECTRUM) as file:
        assert file.shape("eigenvalues") == (0, 365)
        assert file.shape("eigenvectors") == (0, 365, 365)
