"""End points of a run, recomputed without the package's losses and solver."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from builders import VGG, Run, Silent, dense_hessian, hessian_settings, largest_in_magnitude, run_settings
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy
from torch.nn.utils import vector_to_parameters

from sharpest.measures.evaluations import MEASURE, Evaluations, Settings
from sharpest.models.build import build_model
from sharpest.results.file import open_stored
from sharpest.results.snapshots import SNAPSHOTS

L2 = 0.001
SETTINGS = Settings(num_eigenpairs=5, examples=30, num_probes=40, loss_examples=25, early_epoch=1)
# eigenvalues in float32, solved to a residual of 1e-5
ROUNDING = 1e-4

Arrays = dict[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """Its best snapshot is not its last."""
    settings = run_settings(
        lr=0.3, momentum=0.5, rule="plat", patience=1, stop_patience=6, epochs=40, batch_size=16, seed=779, l2=L2
    )
    return Run(tmp_path_factory.mktemp("evaluation"), settings).train()


def evaluate(run: Run, points: list[int | str], path: Path) -> Evaluations:
    """At any points, not only the best and the last."""
    return Evaluations(run.measure("evaluations", [points], SETTINGS, path))


@pytest.fixture(scope="module")
def evaluated(run) -> Evaluations:
    return run.evaluate(SETTINGS)


@pytest.fixture(scope="module")
def snapshots(run) -> Arrays:
    """Iterations and parameters of the start, the best and the last snapshot."""
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        rows = [0, file.attributes["best"], file.attributes["last"]]
        assert len(set(rows)) == 3
        return {name: file[name][rows] for name in ("iteration", "theta")}


def module_at(run: Run, theta: NDArray[np.float32]) -> torch.nn.Module:
    module = build_model(run.settings.model, (1, 8, 8), 3, 0).double()
    vector_to_parameters(torch.from_numpy(theta).double(), module.parameters())
    return module


def test_its_arrays_are_those_of_the_layout(evaluated):
    with h5py.File(evaluated.path) as file:
        assert set(file) == {dataset.name for dataset in MEASURE.layout.datasets}


def test_the_end_points_are_the_best_and_the_last_snapshot(run, evaluated, snapshots):
    assert evaluated["iteration"].tolist() == snapshots["iteration"][1:].tolist()
    np.testing.assert_array_equal(evaluated["epoch"], snapshots["iteration"][1:] / run.settings.steps_per_epoch)


@pytest.mark.parametrize(("asked", "used"), [(30, 30), pytest.param(1000, 40, marks=pytest.mark.slow)])
def test_the_norm_is_that_of_the_largest_eigenvalues(run, snapshots, asked, used):
    """Dense in float64, on the examples of the evaluation, not of the Hessian settings; with the L2 term."""
    evaluated = run.evaluate(SETTINGS.model_copy(update={"examples": asked}))
    problem = run.problem()
    inputs, targets = problem.data.train.inputs[:used], problem.data.train.targets[:used]
    for row, theta in enumerate(snapshots["theta"][1:]):
        dense = dense_hessian(lambda at: problem.model.loss(at, inputs, targets), torch.from_numpy(theta))
        exact = largest_in_magnitude(dense, 5)
        allowed = ROUNDING * np.abs(exact).max()
        np.testing.assert_allclose(evaluated["eigenvalues"][row], exact, atol=allowed)
        assert evaluated["frobenius"][row] == pytest.approx(np.sqrt((exact**2).sum()), abs=3 * allowed)
        assert evaluated["spectral_norm"][row] == pytest.approx(np.abs(exact).max(), abs=allowed)
        # from all eigenvalues: the chance to be three standard errors off is about 0.3 %, and the probes are fixed
        error = evaluated["frobenius_probe_error"][row]
        assert evaluated["frobenius_probe"][row] == pytest.approx(np.linalg.norm(dense), abs=3 * error)
        assert error < 0.3 * np.linalg.norm(dense)
    assert evaluated["converged"].all()
    assert (evaluated["residuals"] <= 1e-5).all()


def test_accuracy_loss_and_distance(run, evaluated, snapshots):
    """Accuracy on all test examples, loss on the first training examples, without L2."""
    data, start = run.problem().data, snapshots["theta"][0]
    for row, theta in enumerate(snapshots["theta"][1:]):
        module = module_at(run, theta)
        with torch.no_grad():
            answers = module(data.test.inputs.double()).argmax(1)
            loss = cross_entropy(module(data.train.inputs[:25].double()), data.train.targets[:25])
        assert evaluated["test_accuracy"][row] == np.mean((answers == data.test.targets).numpy())
        assert evaluated["train_loss"][row] == pytest.approx(float(loss), rel=1e-5)
        distance = np.sqrt(((theta.astype(float) - start) ** 2).sum())
        assert evaluated["distance"][row] == pytest.approx(distance, rel=1e-5)
    # best and last differ
    assert evaluated["train_loss"][0] != evaluated["train_loss"][1]


def test_progress_is_reported(run, tmp_path):
    progress, coarse = Silent(), hessian_settings(tolerance=0.5)
    run.measure("evaluations", [["best", "last"]], SETTINGS, tmp_path / "a.h5", hessian=coarse, progress=progress)
    assert progress.done == [0, 1, 2]


def test_the_spectral_norm_is_the_largest_magnitude_of_either_sign(run, tmp_path):
    """After the first epoch of this run the lowest eigenvalue leads."""
    arrays = evaluate(run, [run.settings.steps_per_epoch], tmp_path / "a.h5")
    first, *_, last = arrays["eigenvalues"][0]
    assert 0 < first < -last
    assert arrays["spectral_norm"][0] == -last


def test_the_net_is_evaluated_with_the_running_averages_of_each_snapshot(tmp_path: Path) -> None:
    """And without dropout: at the start and after the third epoch."""
    run = Run(tmp_path, run_settings(model=VGG)).train()
    arrays, problem, replay = evaluate(run, [5, 15], tmp_path / "a.h5"), run.problem(), run.replay()
    states = [replay.snapshot(row) for row in (1, 3)]
    assert [state.iteration for state in states] == [5, 15]
    test, train = problem.data.test, problem.data.train.first(SETTINGS.loss_examples)
    for row, state in enumerate(states):
        module = build_model(VGG, (1, 8, 8), 3, 0).eval()
        vector_to_parameters(state.theta, module.parameters())
        for name, value in problem.model.buffer_views(state.buffers).items():
            module.get_buffer(name).copy_(value)
        with torch.no_grad():
            right = module(test.inputs).argmax(1) == test.targets
            loss = cross_entropy(module(train.inputs), train.targets)
        assert arrays["test_accuracy"][row] == np.mean(right.numpy())
        assert arrays["train_loss"][row] == pytest.approx(float(loss), rel=1e-5)
