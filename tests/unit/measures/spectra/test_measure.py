"""The contents of a spectra file at each of its points."""

import numpy as np
import pytest
import torch
from builders import (
    ACCURACY_EXAMPLES,
    VGG,
    Run,
    branch_settings,
    dense_hessian,
    hessian_settings,
    largest_in_magnitude,
    lstm_settings,
    nsgd_settings,
    run_settings,
)
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from sharpest.curvature.lanczos import Eigenpairs
from sharpest.measures.spectra import MEASURE
from sharpest.results.file import open_stored
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.trajectory.eigenpairs import hessian_at, solve_eigenpairs
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import TrainingState

SPECTRA = MEASURE.layout
POINTS = [0, 3, 10, 17]
TOLERANCE = 1e-4  # a loose tolerance may miss a pair
HESSIAN = hessian_settings(tolerance=TOLERANCE, chunk_size=20)


def cold_pairs(problem: Problem, state: TrainingState) -> Eigenpairs:
    """A solve without the warm start from the previous point."""
    operator = hessian_at(problem, state.theta, state.iteration, HESSIAN)
    return solve_eigenpairs(problem, operator, state.iteration, HESSIAN, 3)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    run = Run(tmp_path_factory.mktemp("spectra")).train()
    return run.measure_spectrum([*POINTS, 21, 500], accuracy_every=2, hessian=HESSIAN)


@pytest.fixture(scope="module")
def measured(run) -> dict[str, np.ndarray]:
    with open_stored(run.spectrum(), SPECTRA) as file:
        return {dataset.name: file[dataset.name] for dataset in SPECTRA.datasets}


def test_points_after_the_end_are_left_out(run, measured):
    assert measured["iteration"].tolist() == POINTS
    np.testing.assert_array_equal(measured["epoch"], np.array(POINTS) / 5)
    with open_stored(run.spectrum(), SPECTRA) as file:
        assert file.attributes["planned_points"] == 6
        assert (file.attributes["replays_checked"], file.attributes["replay_drift"]) == (2, 0.0)


def test_eigenpairs_are_those_of_the_states(run, measured):
    """Each by a separate solve, without the warm start from the previous point."""
    problem = run.problem()
    for row, state in enumerate(run.replay().states(POINTS)):
        cold = cold_pairs(problem, state)
        largest = np.abs(cold.eigenvalues).max()
        # the error of an eigenvalue is at most its residual
        np.testing.assert_allclose(measured["eigenvalues"][row], cold.eigenvalues, atol=2 * TOLERANCE * largest)
        along = np.abs(measured["eigenvectors"][row][0] @ cold.eigenvectors[0].numpy())
        assert along > 0.98
    assert (np.diff(measured["eigenvalues"], axis=1) <= 0).all()
    assert measured["converged"].all()
    assert (measured["residuals"] <= TOLERANCE).all()
    np.testing.assert_allclose(np.linalg.norm(measured["eigenvectors"], axis=2), 1, rtol=1e-5)


def test_each_solve_starts_from_the_previous_vectors(run, measured, monkeypatch):
    warm = []
    real = solve_eigenpairs

    def listening(*given):
        warm.append(given[-1])
        return real(*given)

    monkeypatch.setattr("sharpest.measures.point.solve_eigenpairs", listening)
    run.measure_spectrum(POINTS, schedule="again", hessian=HESSIAN)
    assert warm[0] is None
    for start, vectors in zip(warm[1:], measured["eigenvectors"], strict=False):
        torch.testing.assert_close(start, torch.from_numpy(vectors).sum(dim=0), atol=1e-6, rtol=0)


def test_losses_and_accuracies_are_taken_at_every_second_point(run, measured):
    problem = run.problem()
    theta = [state.theta for state in run.replay().states(POINTS)]
    train, val = problem.data.train.first(ACCURACY_EXAMPLES), problem.data.val
    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    for row in (0, 2):
        expected = problem.evaluate(theta[row], train) + problem.evaluate(theta[row], val)
        assert tuple(measured[name][row] for name in names) == expected
    assert all(np.isnan(measured[name][[1, 3]]).all() for name in names)


def test_vectors_are_kept_on_request(run):
    run.measure_spectrum([0, 3], schedule="values", keep_vectors=False, accuracy_every=0, hessian=HESSIAN)
    with open_stored(run.spectrum("values"), SPECTRA) as file:
        assert file.shape("eigenvectors") == (0, 3, 365)
        assert file["vector_index"].tolist() == []
        assert file.shape("eigenvalues") == (2, 3)
        assert np.isnan(file["train_loss"]).all()


def test_the_order_of_points_and_what_else_is_measured_do_not_matter(run, measured):
    """A point alone has the same values as among others, within the tolerance; the first point has the same bits."""
    for row, point in ((0, 0), (2, 10)):
        run.measure_spectrum([point], schedule="one", hessian=HESSIAN)
        with open_stored(run.spectrum("one"), SPECTRA) as file:
            alone = file["eigenvalues"][0]
        allowed = 2 * TOLERANCE * np.abs(alone).max() if row else 0
        np.testing.assert_allclose(alone, measured["eigenvalues"][row], atol=allowed, rtol=0)


def test_no_more_eigenpairs_than_parameters_and_no_points_at_all(tmp_path):
    run = Run(tmp_path, run_settings(epochs=1)).train()
    run.measure_spectrum([999], num_eigenpairs=1000, hessian=HESSIAN)
    with open_stored(run.spectrum(), SPECTRA) as file:
        assert file.shape("eigenvalues") == (0, 365)
        assert file.shape("eigenvectors") == (0, 365, 365)


@pytest.mark.parametrize("settings", [run_settings(model=VGG), lstm_settings(epochs=2)], ids=["vgg", "lstm"])
def test_curvature_is_that_of_inference_mode_with_the_averages_of_the_point(tmp_path, settings):
    """Dense in float64, from the module itself: running averages of that state, no dropout, windows from zero."""
    run, points = Run(tmp_path, settings).train(), [7, 17]
    run.measure_spectrum(points, hessian=HESSIAN)
    problem = run.problem()
    states = list(run.replay().states(points))
    with open_stored(run.spectrum(), SPECTRA) as file:
        measured = {name: file[name] for name in ("eigenvalues", "train_loss", "val_accuracy")}
    split, module = problem.data.train.first(20), problem.model.module.double()
    for row, state in enumerate(states):
        buffers = {name: view.double() for name, view in problem.model.buffer_views(state.buffers).items()}

        def loss(theta: torch.Tensor, buffers: dict[str, torch.Tensor] = buffers) -> torch.Tensor:
            inputs = split.inputs.double() if split.inputs.is_floating_point() else split.inputs
            logits = functional_call(module, {**problem.model.views(theta), **buffers}, (inputs,))
            return cross_entropy(logits.flatten(0, -2), split.targets.flatten())

        exact = largest_in_magnitude(dense_hessian(loss, state.theta), 3)
        np.testing.assert_allclose(measured["eigenvalues"][row], exact, atol=2 * TOLERANCE * np.abs(exact).max())
        bound = problem.at(state.buffers)
        assert measured["train_loss"][row] == bound.evaluate(state.theta, problem.data.train.first(40))[0]
        assert measured["val_accuracy"][row] == bound.evaluate(state.theta, problem.data.val)[1]


# --- eigenpairs computed by training


def must_not_solve(*_: object) -> None:
    raise AssertionError("solved anew")


KEPT = nsgd_settings(refresh_every=3, keep_vectors=True, hessian=HESSIAN)


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Run:
    return Run(tmp_path_factory.mktemp("kept"), run_settings(nudge=KEPT)).train()


def test_kept_eigenpairs_are_used_and_nothing_is_solved_again(kept, monkeypatch):
    """The three of largest magnitude of the four that training computed, with their vectors."""
    monkeypatch.setattr("sharpest.trajectory.eigenpairs.largest_eigenpairs", must_not_solve)
    kept.measure_spectrum([0, 3, 9, 18], hessian=HESSIAN)
    with open_stored(kept.spectrum(), SPECTRA) as file, open_stored(kept.snapshots, SNAPSHOTS) as run:
        for row, refresh in enumerate((0, 1, 3, 6)):
            values = run["eigenvalues"][refresh]
            target = sorted(np.argsort(-np.abs(values))[:3])
            for name in ("eigenvalues", "residuals", "converged", "eigenvectors"):
                np.testing.assert_array_equal(file[name][row], run[name][refresh][target])
            for name in ("hvps", "seconds"):
                assert file[name][row] == run[name][refresh]
        assert np.isfinite(file["train_loss"]).all()


def test_points_in_between_are_solved_with_warm_starts(kept):
    kept.measure_spectrum([0, 1, 3, 4], hessian=HESSIAN)
    problem = kept.problem()
    states = list(kept.replay().states([1, 4]))
    with open_stored(kept.spectrum(), SPECTRA) as file:
        for row, state in ((1, states[0]), (3, states[1])):
            exact = cold_pairs(problem, state).eigenvalues
            np.testing.assert_allclose(file["eigenvalues"][row], exact, atol=2 * TOLERANCE * np.abs(exact).max())


@pytest.mark.parametrize(
    "changes",
    [
        {"hessian": HESSIAN.model_copy(update={"examples": 10})},
        {"hessian": HESSIAN.model_copy(update={"tolerance": 0.1})},
        {"num_eigenpairs": 5},
    ],
    ids=["examples", "tolerance", "more pairs"],
)
def test_eigenpairs_of_another_hessian_or_too_few_are_not_taken(kept, monkeypatch, changes):
    monkeypatch.setattr("sharpest.trajectory.eigenpairs.largest_eigenpairs", must_not_solve)
    with pytest.raises(AssertionError, match="solved anew"):
        kept.measure_spectrum([3], **{"hessian": HESSIAN, **changes})


@pytest.mark.parametrize("keep_vectors", [False, True])
def test_without_kept_vectors_values_are_taken_where_no_vectors_are_asked_for(tmp_path, monkeypatch, keep_vectors):
    """For a run that computes its directions once per epoch."""
    run = Run(tmp_path, run_settings(nudge=nsgd_settings(hessian=HESSIAN))).train()
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        recorded = np.sort(np.abs(file["eigenvalues"]), axis=1)[:, 1:]
    monkeypatch.setattr("sharpest.trajectory.eigenpairs.largest_eigenpairs", must_not_solve)
    requested = {"hessian": HESSIAN, "keep_vectors": keep_vectors, "accuracy_every": 0}
    if keep_vectors:
        with pytest.raises(AssertionError, match="solved anew"):
            run.measure_spectrum([0, 5, 10, 15], **requested)
        return
    run.measure_spectrum([0, 5, 10, 15], **requested)
    with open_stored(run.spectrum(), SPECTRA) as file:
        np.testing.assert_array_equal(np.sort(np.abs(file["eigenvalues"]), axis=1), recorded)
        assert file.attributes["replays_checked"] == 0


def test_a_branch_is_measured_from_its_branch_point_on(tmp_path):
    """Earlier points are left out, as are those after the end."""
    run = Run(tmp_path, branch_settings(run_settings(), 2, lr_factor=0.1)).train()
    run.measure_spectrum([0, 5, 9, 10, 13, 20, 21], hessian=HESSIAN, accuracy_every=2)
    with open_stored(run.spectrum(), SPECTRA) as file:
        assert file["iteration"].tolist() == [10, 13, 20]
        assert file["epoch"].tolist() == [2, 2.6, 4]
        assert np.isfinite(file["train_loss"]).tolist() == [True, False, True]
        assert file.attributes["replay_drift"] == 0
