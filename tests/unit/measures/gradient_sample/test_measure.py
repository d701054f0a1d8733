"""The contents of a gradient sample, recomputed in float64 from dense Hessians of each batch's loss."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import VGG, Run, full_batch_settings, hessian_settings, run_settings
from numpy.typing import NDArray
from pydantic import ValidationError
from tiers import fast

from sharpest.config.measures import Planned, Taken
from sharpest.curvature import batches
from sharpest.curvature.hessian import Hessian
from sharpest.data.dataset import Split
from sharpest.errors import ConfigError
from sharpest.measures import kept
from sharpest.measures.gradient_sample import MEASURE, Settings
from sharpest.measures.point import Point
from sharpest.measures.spectra import Spectra
from sharpest.results.stored import Measured
from sharpest.trajectory.problem import Problem

M, J, K = 6, 4, 2
SETTINGS = Settings(num_batches=M, full_curvature_batches=J, num_directions=K, num_eigenvalues=3)
POINTS = [3, 10, 20]
CLOSE = 1e-4  # relative, of float32 to float64
SHARP = ("batch_sharpness", "ratio_of_means", "gni", "interaction_sharpness", "directional_sharpness")
KINDS = {
    "plain": run_settings(l2=1e-3),
    "momentum, augmented": run_settings(run="scnn-c10-sgd-lr0.05-S8-m0.9-s777", lr=0.05, momentum=0.9).model_copy(
        update={"dataset": run_settings().dataset.model_copy(update={"flip": True, "shift": 0.1})}
    ),
    "vgg": run_settings(model=VGG, l2=1e-3, lr=0.02),
}


@pytest.fixture(scope="module", params=fast(KINDS, "plain", "vgg"))
def run(request, tmp_path_factory) -> Run:
    run = Run(tmp_path_factory.mktemp("sample"), KINDS[request.param]).train()
    return run.measure_spectrum(POINTS)


@pytest.fixture(scope="module")
def measured(run) -> Measured:
    return run.sample_gradients(SETTINGS)


def exact(problem: Problem, theta: torch.Tensor, split: Split) -> tuple[NDArray[Any], NDArray[Any]]:
    """Gradient (p,) and Hessian (p, p) of the loss on the given examples, float64."""
    theta, inputs = theta.double(), split.inputs.double()

    def loss(at: torch.Tensor) -> torch.Tensor:
        return problem.model.loss(at, inputs, split.targets)

    return torch.func.grad(loss)(theta).numpy(), torch.func.hessian(loss)(theta).numpy()


def test_every_column_is_that_of_float64(run, measured):
    spectra, size = Spectra(run.spectrum()), run.settings.batch_size
    for row, state in enumerate(run.replay().states(POINTS)):
        problem = run.problem().at(state.buffers)
        stream = problem.data.stream
        pairs = [exact(problem, state.theta, stream.sample(f"gradient-{m}", state.iteration, size)) for m in range(M)]
        g, h = exact(problem, state.theta, problem.data.train.first(20))
        each = np.stack([gradient for gradient, _ in pairs])
        own = np.array([gradient @ hessian @ gradient for gradient, hessian in pairs])
        images = each[:J] @ h @ each[:J].T
        squares, vectors = (each**2).sum(axis=1), spectra["eigenvectors"][row, :K].astype(float)
        covariance, sigma = np.cov(each.T, bias=True), np.cov(each[:J].T)
        eigenvalues = np.linalg.eigvalsh(np.cov(each.T, bias=True))[::-1]
        halves = [np.linalg.eigvalsh(np.cov(part.T, bias=True))[-1] for part in np.split(each, 2)]
        ratio = own.sum() / squares.sum()
        expected = {
            "batch_sharpness": (own / squares).mean(),
            "batch_sharpness_error": (own / squares).std(ddof=1) / np.sqrt(M),
            "ratio_of_means": ratio,
            "ratio_of_means_error": (own - ratio * squares).std(ddof=1) / np.sqrt(M) / squares.mean(),
            "gni": images.diagonal().mean() / (g @ g),
            "gni_error": images.diagonal().std(ddof=1) / np.sqrt(J) / (g @ g),
            "interaction_sharpness": images.trace() / squares[:J].sum(),
            "directional_sharpness": g @ h @ g / (g @ g),
            "noise_scale": size * np.cov(each.T).trace() / (g @ g),
            "curvature_noise_scale": size * (h @ sigma).trace() / (g @ h @ g),
            "covariance_trace": covariance.trace(),
            "covariance_eigenvalues": eigenvalues[:3],
            "covariance_conditioning": eigenvalues[M - 2] / eigenvalues[0],
            "covariance_error": abs(halves[0] - halves[1]) / 2,
            "alignment": (h @ sigma).trace() / (np.linalg.eigvalsh(h)[-1] * sigma.trace()),
            "gram": each @ each.T,
            "batch_curvature": own,
            "full_curvature": images.diagonal(),
            "g_dot": each @ g,
            "full_gradient_sq": g @ g,
            "projection": each @ vectors.T,
            "full_projection": vectors @ g,
            "chi_full": np.linalg.norm(vectors @ g) / np.linalg.norm(g),
            "chi_batch": (np.linalg.norm(each @ vectors.T, axis=1) / np.sqrt(squares)).mean(),
        }
        assert {*expected, "iteration", "epoch"} == {dataset.name for dataset in MEASURE.layout.datasets}
        for name, value in expected.items():
            scale = np.abs(value).max()
            if name == "covariance_error":
                scale = max(halves)  # a small difference of large numbers
            np.testing.assert_allclose(measured[name][row], value, rtol=CLOSE, atol=CLOSE * scale, err_msg=name)


def test_batches_one_by_one_are_the_same(run, measured, monkeypatch):
    monkeypatch.setattr(batches, "TOGETHER_PARAMETERS", 0)
    alone = run.sample_gradients(SETTINGS, name="alone")
    for name in ("gram", "batch_curvature", "batch_sharpness"):
        np.testing.assert_allclose(alone[name], measured[name], rtol=1e-4, atol=1e-6)


def test_gradients_are_those_of_directions(run, measured):
    replay = run.replay()
    point = Point(replay, replay.walk(), POINTS[1], hessian_settings(), {})
    gradients = point.gradients(3).double()
    np.testing.assert_allclose(measured["gram"][1, :3, :3], gradients @ gradients.T, rtol=1e-4, atol=1e-6)


def test_without_full_curvature_it_is_left_out(run, measured):
    without = run.sample_gradients(SETTINGS.model_copy(update={"full_curvature_batches": 0}), name="without")
    left_out = {
        "gni",
        "gni_error",
        "interaction_sharpness",
        "directional_sharpness",
        "curvature_noise_scale",
        "alignment",
    }
    assert without["full_curvature"].shape == (len(POINTS), 0)
    for dataset in MEASURE.layout.datasets:
        if dataset.name in left_out:
            assert np.isnan(without[dataset.name]).all()
        elif dataset.name != "full_curvature":
            np.testing.assert_array_equal(without[dataset.name], measured[dataset.name])


def test_one_batch_has_values_without_errors(run, measured):
    one = run.sample_gradients(Settings(num_batches=1, full_curvature_batches=3), name="one")
    np.testing.assert_allclose(one["batch_sharpness"], one["ratio_of_means"])
    assert np.isfinite(one["gni"]).all()
    for name in (
        "batch_sharpness_error",
        "gni_error",
        "noise_scale",
        "covariance_trace",
        "covariance_error",
        "alignment",
    ):
        assert np.isnan(one[name]).all(), name
    assert one["covariance_eigenvalues"].shape == (len(POINTS), 1)


@pytest.mark.parametrize("num_batches", [1, 5])
def test_a_full_batch_run_has_one_batch(tmp_path: Path, monkeypatch, num_batches):
    run = Run(tmp_path, full_batch_settings()).train().measure_spectrum([0, 4])
    products = []
    monkeypatch.setattr("sharpest.measures.gradient_sample.measure.batch_curvature", None)  # no batch is drawn
    plain = Hessian.product
    monkeypatch.setattr(Hessian, "product", lambda hessian, vector: products.append(0) or plain(hessian, vector))
    sample = run.sample_gradients(Settings(num_batches=num_batches, full_curvature_batches=num_batches))
    assert len(products) == 2 * 3  # however many batches are requested
    state = next(iter(run.replay().states([4])))
    g, h = exact(run.problem(), state.theta, run.problem().data.train)
    for name in SHARP:
        assert sample[name][1] == pytest.approx(g @ h @ g / (g @ g), rel=CLOSE), name
        np.testing.assert_allclose(sample[name], sample["batch_sharpness"], rtol=1e-12)
    assert (sample["batch_sharpness"] <= Spectra(run.spectrum()).lambda_max * (1 + CLOSE)).all()
    np.testing.assert_allclose(sample["chi_batch"], sample["chi_full"], rtol=1e-12)
    nothing = 0.0 if num_batches > 1 else np.nan
    for name in ("batch_sharpness_error", "gni_error", "covariance_trace", "noise_scale", "curvature_noise_scale"):
        np.testing.assert_array_equal(sample[name], nothing, err_msg=name)
    assert np.isnan(sample["alignment"]).all()


def test_shards_and_kills_leave_the_bits(run, measured, monkeypatch):
    """A point is the same alone, among others, and after a kill."""
    arrays = [dataset.name for dataset in MEASURE.layout.datasets]
    parts = [run.sample_gradients(SETTINGS, [[point]], f"part{point}") for point in POINTS]
    for name in arrays:
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), measured[name], err_msg=name)

    class Killed(BaseException):
        pass

    keep, calls = kept.KeptPoints.keep, []

    def dies(self: Any, *arguments: Any) -> Any:
        calls.append(0)
        if len(calls) == 2:
            raise Killed
        return keep(self, *arguments)

    monkeypatch.setattr(kept.KeptPoints, "keep", dies)
    with pytest.raises(Killed):
        run.sample_gradients(SETTINGS, name="killed")
    monkeypatch.undo()
    again = run.sample_gradients(SETTINGS, name="killed")
    for name in arrays:
        np.testing.assert_array_equal(again[name], measured[name], err_msg=name)


def test_a_gradient_that_is_not_finite_leaves_its_row_empty(tmp_path: Path, monkeypatch):
    run = Run(tmp_path).train().measure_spectrum([5])

    def broken(loss: Any, theta: torch.Tensor, *_: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((M, len(theta)), torch.inf), torch.full((M,), torch.inf).double()

    monkeypatch.setattr("sharpest.measures.gradient_sample.measure.batch_curvature", broken)
    sample = run.sample_gradients(SETTINGS.model_copy(update={"full_curvature_batches": 0}))
    assert np.isnan(sample["batch_sharpness"]).all()
    assert np.isnan(sample["covariance_eigenvalues"]).all()
    assert np.isfinite(sample["full_gradient_sq"]).all()


def test_a_negative_number_of_batches_is_refused() -> None:
    with pytest.raises(ValidationError, match="full_curvature_batches"):
        Settings(full_curvature_batches=-1)


def test_more_directions_than_eigenpairs_are_refused() -> None:
    class Stored:
        num_eigenpairs = 2

    MEASURE.check(Settings(num_directions=2), Taken({"spectra": Stored}, None))
    with pytest.raises(ConfigError, match="num_directions 3 exceeds num_eigenpairs 2 of spectra"):
        MEASURE.check(Settings(num_directions=3), Taken({"spectra": Stored}, None))


def test_the_cost_counts_the_actual_calls() -> None:
    plan, fb = (Planned(run, hessian_settings(), 0, 0) for run in (run_settings(), full_batch_settings()))
    assert [MEASURE.cost(Settings(full_curvature_batches=j), plan).products for j in (0, 16)] == [1, 18]
    assert MEASURE.cost(Settings(num_batches=10), plan).gradients == 30
    assert [MEASURE.cost(Settings(full_curvature_batches=j), fb).products for j in (0, 16)] == [2, 4]
    assert MEASURE.cost(Settings(), fb).gradients == 0
    assert MEASURE.cost(Settings(num_directions=10), plan).held == 74
