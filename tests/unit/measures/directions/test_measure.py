"""The contents of a directions file, recomputed with the same gradients."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import LOSS_EXAMPLES, VGG, Run, direction_settings, hessian_settings, run_settings
from numpy.typing import NDArray
from tiers import fast
from torch import Tensor
from torch.nn.functional import cross_entropy

from sharpest.config.measures import Planned
from sharpest.data.randomness import generator
from sharpest.measures.directions import MEASURE
from sharpest.measures.point import Point
from sharpest.measures.spectra import MEASURE as SPECTRA
from sharpest.results.file import open_stored
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import TrainingState

INDICES = (1, 3, 0, -1)
ALPHAS = (0.25, 0.5, 1.0, 2.0)
HALF = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8, 12, 16]
GRID = (*(-x for x in reversed(HALF)), 0.0, *HALF)
SETTINGS = direction_settings(indices=INDICES, num_gradients=3, alphas=ALPHAS, alpha_every=2, grid=GRID)
COARSE = hessian_settings(tolerance=0.05)  # any unit vectors serve
L2 = 0.001
# losses near 1 in float32
ROUNDING = 2e-6
# error of a spline through the profile, relative to the largest change; see test_line.py
SPLINE = 1e-2

KINDS = {
    "constant": (run_settings(l2=L2, epochs=8), [21, 27, 33, 40]),
    "plateau": (
        run_settings(lr=0.3, rule="plat", patience=1, stop_patience=6, epochs=12, batch_size=16, seed=779, l2=L2),
        [3, 9, 18, 23],
    ),
    # measured in inference mode, with the running averages of each point
    "vgg": (run_settings(model=VGG, l2=L2, lr=0.02), [2, 7, 13, 20]),
}

Arrays = dict[str, NDArray[np.float64]]


@pytest.fixture(scope="module", params=fast(KINDS, "plateau", "vgg"))
def run(request, tmp_path_factory) -> Run:
    settings, points = KINDS[request.param]
    run = Run(tmp_path_factory.mktemp(request.param), settings).train()
    return run.measure_spectrum(points, hessian=COARSE).measure_directions(SETTINGS)


@pytest.fixture(scope="module")
def measured(run) -> Arrays:
    return read(run)


def read(run: Run) -> Arrays:
    with open_stored(run.directions(), MEASURE.layout) as file:
        return {dataset.name: file[dataset.name] for dataset in MEASURE.layout.datasets}


@pytest.fixture(scope="module")
def problem(run) -> Problem:
    return run.problem()


@pytest.fixture(scope="module")
def states(run, measured) -> list[TrainingState]:
    return list(run.replay().states(measured["iteration"].tolist()))


def gradients_at(run: Run, iteration: int, count: int = 3) -> Tensor:
    """The mini-batch gradients of a point, (m, p)."""
    replay = run.replay()
    return Point(replay, replay.walk(), iteration, COARSE, {}).gradients(count)


def units(run: Run, row: int, gradients: Tensor, iteration: int) -> Tensor:
    """The unit vector of each direction, in the order of INDICES."""
    with open_stored(run.spectrum(), SPECTRA.layout) as file:
        vectors = torch.from_numpy(file["eigenvectors"][row])
    random = torch.randn(vectors.shape[1], generator=generator(run.settings.seed, "random-direction", iteration))
    mean = gradients.mean(dim=0)
    return torch.stack([vectors[0], vectors[2], mean / mean.norm(), random / random.norm()])


def loss(problem: Problem, theta: Tensor) -> float:
    """Over the first clean training examples, with the L2 term written out."""
    split = problem.data.train.first(LOSS_EXAMPLES)
    with torch.no_grad():
        kernels = [value for value in problem.model.views(theta).values() if value.dim() > 1]
        penalty = L2 * sum(float((kernel.double() ** 2).sum()) for kernel in kernels)
        return float(cross_entropy(problem.model.logits(theta, split.inputs).double(), split.targets)) + penalty


def test_points_and_settings_are_recorded(run, measured):
    settings, points = next(kind for kind in KINDS.values() if kind[0] == run.settings)
    assert measured["iteration"].tolist() == points
    np.testing.assert_array_equal(measured["epoch"], np.array(points) / settings.steps_per_epoch)
    assert tuple(measured["direction"]) == INDICES
    assert tuple(measured["alphas"]) == ALPHAS
    assert tuple(measured["grid"]) == GRID


def test_the_plateau_run_has_cuts_between_its_points(tmp_path_factory):
    """Otherwise these tests could not distinguish the rate of the point from that of the start."""
    settings, points = KINDS["plateau"]
    run = Run(tmp_path_factory.mktemp("cuts"), settings).train()
    rates = {state.lr for state in run.replay().states(points)}
    assert len(rates) >= 2


def test_gradients_are_those_of_the_training_loss_on_samples_of_the_stream(run, problem, states):
    state = states[1]
    bound = problem.at(state.buffers)
    gradients = gradients_at(run, state.iteration)
    assert torch.equal(gradients, gradients_at(run, state.iteration))
    # more gradients extend the same sequence
    assert torch.equal(gradients, gradients_at(run, state.iteration, 5)[:3])
    for m, gradient in enumerate(gradients):
        batch = problem.data.stream.sample(f"gradient-{m}", state.iteration, problem.settings.batch_size)
        theta = state.theta.clone().requires_grad_()
        (expected,) = torch.autograd.grad(bound.model.loss(theta, batch.inputs, batch.targets), theta)
        torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=1e-4)
    assert not torch.equal(gradients[0], gradients[1])


def test_projections_steps_and_cosines(run, problem, states, measured):
    for row, state in enumerate(states):
        gradients = gradients_at(run, state.iteration)
        norms = gradients.double().norm(dim=1).numpy()
        inner = (gradients.double() @ units(run, row, gradients, state.iteration).double().T).numpy()
        inner[:, INDICES.index(0)] = norms
        np.testing.assert_allclose(measured["gradient_norm"][row], norms, rtol=1e-5)
        np.testing.assert_allclose(measured["projection"][row], inner, atol=1e-5 * norms.max())
        np.testing.assert_allclose(measured["step_length"][row], state.lr * np.abs(inner).mean(axis=0), rtol=1e-4)
        cosines = (np.abs(inner) / norms[:, None]).mean(axis=0)
        np.testing.assert_allclose(measured["cosine"][row], cosines, atol=1e-5)
        assert measured["cosine"][row, INDICES.index(0)] == pytest.approx(1)


def test_profiles_are_losses_along_the_directions(run, problem, states, measured):
    for row, state in enumerate(states):
        bound = problem.at(state.buffers)
        assert measured["loss"][row] == pytest.approx(loss(bound, state.theta), abs=ROUNDING)
        gradients = gradients_at(run, state.iteration)
        for column, unit in enumerate(units(run, row, gradients, state.iteration)):
            length = measured["step_length"][row, column]
            exact = [loss(bound, state.theta + k * length * unit) for k in GRID]
            np.testing.assert_allclose(measured["profile"][row, column], exact, atol=ROUNDING, rtol=ROUNDING)


def test_loss_changes_are_those_of_scaled_steps_with_the_same_gradients(run, problem, states, measured):
    """Each step separately: theta - alpha eta <g_m, e> e, and theta - alpha eta g_m for the full step."""
    for row, state in enumerate(states):
        bound = problem.at(state.buffers)
        if row % 2:
            continue
        gradients = gradients_at(run, state.iteration)
        start = loss(bound, state.theta)
        for column, unit in enumerate(units(run, row, gradients, state.iteration)):
            steps = gradients if INDICES[column] == 0 else (gradients @ unit)[:, None] * unit
            exact = np.array(
                [np.mean([loss(bound, state.theta - alpha * state.lr * s) for s in steps]) - start for alpha in ALPHAS]
            )
            near = ROUNDING if INDICES[column] == 0 else SPLINE * np.abs(exact).max() + ROUNDING
            np.testing.assert_allclose(measured["loss_change"][row, column], exact, atol=near)
            error = measured["loss_change_error"][row, column]
            # an estimate, not a bound
            assert np.all(np.abs(measured["loss_change"][row, column] - exact) <= 2 * error + 2 * ROUNDING)
            assert np.all(error == 0) if INDICES[column] == 0 else np.any(error > 0)


def test_other_points_have_no_alpha_study(measured):
    assert np.isfinite(measured["loss_change"][::2]).all()
    assert np.isnan(measured["loss_change"][1::2]).all()
    assert np.isnan(measured["loss_change_error"][1::2]).all()
    assert np.isfinite(measured["profile"]).all()


def test_without_a_grid_only_the_alignment_is_measured(tmp_path: Path, run, measured):
    again = Run(tmp_path, run.settings).train().measure_spectrum(measured["iteration"].tolist(), hessian=COARSE)
    again.measure_directions(direction_settings(indices=(1, 3), num_gradients=3))
    alone = read(again)
    for name in ("projection", "step_length", "cosine"):
        # other matrix products round differently
        np.testing.assert_allclose(alone[name], measured[name][..., :2], atol=1e-5)
    assert np.isnan(alone["loss"]).all()
    assert alone["profile"].shape == alone["loss_change"].shape == (4, 2, 0)


def test_alphas_do_not_change_the_gradients(tmp_path: Path, run, measured):
    """One alpha alone gives the same result as among others, to the accuracy of a line."""
    again = Run(tmp_path, run.settings).train().measure_spectrum(measured["iteration"].tolist(), hessian=COARSE)
    settings = SETTINGS.model_copy(update={"alphas": (1.0,), "alpha_every": 1})
    again.measure_directions(settings)
    alone = read(again)
    among_others = measured["loss_change"][::2, :, ALPHAS.index(1.0)]
    np.testing.assert_allclose(alone["loss_change"][::2, :, 0], among_others, rtol=0.01)
    assert np.array_equal(alone["profile"], measured["profile"], equal_nan=True)


def test_a_gradient_that_vanishes_has_a_flat_profile(tmp_path: Path, monkeypatch):
    """A zero step has length zero; nothing is divided by it."""
    run = Run(tmp_path).train().measure_spectrum([5, 10], hessian=COARSE)
    monkeypatch.setattr(Point, "gradients", lambda *_: torch.zeros(3, 365))
    arrays = read(run.measure_directions(SETTINGS))
    np.testing.assert_array_equal(arrays["step_length"], 0)
    np.testing.assert_array_equal(arrays["cosine"], 0)
    np.testing.assert_array_equal(arrays["profile"], np.broadcast_to(arrays["loss"][:, None, None], (2, 4, len(GRID))))
    np.testing.assert_array_equal(arrays["loss_change"][0], 0)


def test_a_run_that_diverges_is_measured_up_to_its_end(tmp_path: Path):
    """Steps along the L2 term that overshoot; at the last state losses are huge and gradients may overflow."""
    settings = run_settings(lr=2.0, momentum=0.95, l2=0.5, epochs=30, batch_size=20)
    run = Run(tmp_path, settings).train()
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        last = int(file["iteration"][-1])
    arrays = read(run.measure_spectrum([0, last, last + 1, 60]).measure_directions(SETTINGS))
    assert arrays["iteration"].tolist() == [0, last]
    assert np.isfinite(arrays["loss"][0])


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_gradients_that_are_not_finite_leave_their_rows_empty(tmp_path: Path, monkeypatch, broken):
    run = Run(tmp_path).train().measure_spectrum([5, 10], hessian=COARSE)
    monkeypatch.setattr(Point, "gradients", lambda *_: torch.full((3, 365), broken))
    arrays = read(run.measure_directions(SETTINGS))
    assert np.isfinite(arrays["loss"]).all()
    assert np.isnan(arrays["profile"]).all()
    assert np.isnan(arrays["loss_change"]).all()


@pytest.mark.parametrize(("place", "losses"), [(0, 1 + 4 * 27 + 3 * 4), (1, 1 + 4 * 27), (2, 1 + 4 * 27 + 3 * 4)])
def test_the_cost_counts_whole_steps_only_at_points_of_the_alpha_study(place, losses):
    cost = MEASURE.cost(SETTINGS, Planned(run_settings(), hessian_settings(), 0, place))
    assert (cost.gradients, cost.forwards, cost.held) == (3, losses * LOSS_EXAMPLES, 2 * (3 + 3))
    cost = MEASURE.cost(SETTINGS.model_copy(update={"grid": ()}), Planned(run_settings(), hessian_settings(), 0, place))
    assert cost.forwards == 0
