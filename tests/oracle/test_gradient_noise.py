"""Batch sharpness, noise and covariance against closed forms, and against enumerating all batches."""

import itertools

import numpy as np
import pytest
import torch
from problems import NETS, SmallProblem, linear_regression, linear_regression_hessian, reduced_net, rng
from tiers import fast
from torch import Tensor

from sharpest.curvature import (
    NotTwiceDifferentiableError,
    batch_curvature,
    batch_sharpness,
    batches,
    conditioning,
    covariance_eigenvalues,
    dominant_share,
    gradient_noise_interaction,
    gram,
    half_sample_error,
    noise_curvature_alignment,
    noise_scale,
    noise_trace,
    ratio_of_means,
)

pytestmark = pytest.mark.core

N = 8
REGRESSION = linear_regression(N, 0)
HESSIAN = linear_regression_hessian(REGRESSION)
GRADIENT = REGRESSION.gradient(REGRESSION.theta)


def subsets(size: int) -> list[tuple[Tensor, Tensor]]:
    """All batches of distinct examples."""
    rows = [list(chosen) for chosen in itertools.combinations(range(N), size)]
    return [(REGRESSION.inputs[chosen], REGRESSION.targets[chosen]) for chosen in rows]


def sampled(size: int) -> tuple[Tensor, Tensor]:
    return batch_curvature(REGRESSION.loss, REGRESSION.theta, subsets(size))


@pytest.fixture(params=["together", "alone"])
def way(request, monkeypatch) -> str:
    if request.param == "alone":
        monkeypatch.setattr(batches, "TOGETHER_PARAMETERS", 0)
    return str(request.param)


def by_hand(size: int) -> tuple[Tensor, Tensor]:
    """Gradients and curvatures of the batches, in closed form."""
    gradients, curvature = [], []
    for x, y in subsets(size):
        gradient = x.T @ (x @ REGRESSION.theta - y) / size
        gradients.append(gradient)
        curvature.append((x @ gradient).square().sum() / size)
    return torch.stack(gradients), torch.stack(curvature)


def test_all_batches_enumerated(way: str) -> None:
    gradients, curvature = sampled(3)
    exact, exact_curvature = by_hand(3)
    assert len(gradients) == 56
    torch.testing.assert_close(gradients, exact, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(curvature, exact_curvature, rtol=1e-12, atol=1e-14)

    squares, full = exact.square().sum(dim=1), torch.einsum("mi,ij,mj->m", exact, HESSIAN, exact)
    products = gram(gradients)
    assert batch_sharpness(curvature, products.diagonal()).value == pytest.approx(
        float((exact_curvature / squares).mean())
    )
    ratio = ratio_of_means(curvature, products.diagonal()).value
    assert ratio == pytest.approx(float(exact_curvature.sum() / squares.sum()))
    assert batch_sharpness(curvature, squares).value != pytest.approx(ratio, rel=0.01)
    gni = gradient_noise_interaction(full, float(GRADIENT @ GRADIENT))
    second = exact.T @ exact / 56
    assert gni.value == pytest.approx(float((HESSIAN @ second).trace() / (GRADIENT @ GRADIENT)))
    interaction = ratio_of_means(full, squares).value
    assert interaction == pytest.approx(float((HESSIAN @ second).trace() / second.trace()))


def test_the_covariance_of_all_batches(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharpest.curvature.gradient_noise._COLUMNS", 4)  # long vectors are summed over their parts
    gradients, _ = sampled(3)
    exact = np.linalg.eigvalsh(np.cov(by_hand(3)[0].numpy().T, bias=True))[::-1]
    eigenvalues = covariance_eigenvalues(gram(gradients))
    np.testing.assert_allclose(eigenvalues[:6], exact, rtol=1e-10)
    np.testing.assert_allclose(eigenvalues[6:], 0, atol=1e-13)
    assert conditioning(eigenvalues) == pytest.approx(exact[-1] / exact[0])
    halves = [np.linalg.eigvalsh(np.cov(part.numpy().T, bias=True))[-1] for part in by_hand(3)[0].split(28)]
    assert half_sample_error(gram(gradients)) == pytest.approx(abs(halves[0] - halves[1]) / 2)


def test_the_mean_curvature_is_that_of_gradient_and_noise() -> None:
    """E[g_B.H g_B] = g.Hg + Tr(H Sigma) / S; enumerating all batches leaves no missing degree of freedom."""
    gradients, _ = sampled(3)
    images = gram(gradients, gradients @ HESSIAN)
    noise = noise_trace(images, 3) * 55 / 56
    expected = float(GRADIENT @ HESSIAN @ GRADIENT) + noise / 3
    assert float(images.diagonal().mean()) == pytest.approx(expected)
    scale = noise_scale(images, 3, float(GRADIENT @ HESSIAN @ GRADIENT))
    gni = gradient_noise_interaction(images.diagonal(), float(GRADIENT @ GRADIENT)).value
    directional = float(GRADIENT @ HESSIAN @ GRADIENT / (GRADIENT @ GRADIENT))
    assert gni == pytest.approx(directional * (1 + scale * 55 / 56 / 3))


def test_the_noise_of_an_example_is_the_same_from_two_batch_sizes() -> None:
    """Up to the factor of sampling without replacement, (n - S)/(n - 1)."""
    actual = [
        noise_trace(gram(gradients), size) * (len(gradients) - 1) / len(gradients) * (N - 1) / (N - size)
        for size in (1, 2, 5)
        for gradients in [sampled(size)[0]]
    ]
    each = torch.stack(
        [x * (x @ REGRESSION.theta - y) for x, y in zip(REGRESSION.inputs, REGRESSION.targets, strict=True)]
    )
    exact = float(each.var(dim=0, unbiased=False).sum())
    assert actual == pytest.approx([exact] * 3)
    scale = noise_scale(gram(sampled(2)[0]), 2, float(GRADIENT @ GRADIENT))
    assert scale * 27 / 28 * 7 / 6 == pytest.approx(exact / float(GRADIENT @ GRADIENT))


def test_noise_lies_along_the_sharpest_directions_at_most_whole() -> None:
    gradients, _ = sampled(3)
    products, images = gram(gradients), gram(gradients, gradients @ HESSIAN)
    values, vectors = np.linalg.eigh(HESSIAN.numpy())
    covariance = np.cov(by_hand(3)[0].numpy().T)
    exact = np.trace(HESSIAN.numpy() @ covariance) / (values[-1] * np.trace(covariance))
    assert noise_curvature_alignment(products, images, values[-1]) == pytest.approx(exact)
    along = torch.randn(5, 1, generator=rng(1), dtype=torch.float64) * torch.from_numpy(vectors[:, -1].copy())
    assert noise_curvature_alignment(gram(along), gram(along, along @ HESSIAN), values[-1]) == pytest.approx(1)


@pytest.mark.parametrize("count", [1, 3])
def test_for_the_full_batch_all_equal_the_directional_sharpness(count: int, way: str) -> None:
    problem = reduced_net("text-cnn", 20)
    whole = (problem.inputs, problem.targets)
    gradients, curvature = batch_curvature(problem.loss, problem.theta, [whole] * count)
    hessian, gradient = problem.dense_hessian(), problem.gradient(problem.theta)
    directional = float(gradient @ hessian @ gradient / (gradient @ gradient))
    images, squares = gram(gradients, gradients @ hessian).diagonal(), gram(gradients).diagonal()
    for estimate in (
        batch_sharpness(curvature, squares),
        ratio_of_means(curvature, squares),
        ratio_of_means(images, squares),
        gradient_noise_interaction(images, float(gradient @ gradient)),
    ):
        assert estimate.value == pytest.approx(directional, rel=1e-10)
    assert directional <= np.linalg.eigvalsh(hessian.numpy())[-1]


def test_only_a_small_net_processes_its_batches_at_once(way: str) -> None:
    calls = []

    def counted(theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        calls.append(len(inputs))
        return REGRESSION.loss(theta, inputs, targets)

    batch_curvature(counted, REGRESSION.theta, subsets(3))
    assert (calls == [3]) == (way == "together")


def test_multiplicative_noise_has_the_mean_curvature() -> None:
    """L_B = h_B x^2 / 2: batch sharpness is E[h] for any spread of h; the ratio of means is E[h^3] / E[h^2]."""
    h = torch.rand(40, 5, generator=rng(3), dtype=torch.float64) * 9 + 0.1
    pairs = [(row, row) for row in h]
    gradients, curvature = batch_curvature(
        lambda theta, x, y: (x.mean() * theta.square()).sum() / 2, torch.tensor([0.7], dtype=torch.float64), pairs
    )
    mean = h.mean(dim=1)
    estimate = batch_sharpness(curvature, gram(gradients).diagonal())
    assert estimate.value == pytest.approx(float(mean.mean()))
    assert estimate.error == pytest.approx(float(mean.std()) / 40**0.5)
    ratio = ratio_of_means(curvature, gram(gradients).diagonal())
    assert ratio.value == pytest.approx(float(mean.pow(3).mean() / mean.square().mean()))


def test_the_errors_are_the_spread_over_samples() -> None:
    """Over 4,000 samples of 50 batches; detects an error bar that is off by a tenth."""
    squares = 1 + torch.rand(4_000, 50, generator=rng(4), dtype=torch.float64)
    curvature = squares * (2 + torch.randn(4_000, 50, generator=rng(5), dtype=torch.float64))
    for quantity in (batch_sharpness, ratio_of_means):
        estimates = [quantity(c, s) for c, s in zip(curvature, squares, strict=True)]
        spread = np.std([estimate.value for estimate in estimates])
        assert np.mean([estimate.error for estimate in estimates]) == pytest.approx(spread, rel=0.05)


def test_equal_batches_have_no_spread() -> None:
    gradient = torch.randn(1, 9, generator=rng(6))
    products = gram(gradient.expand(7, -1))
    assert covariance_eigenvalues(products).tolist() == [0.0] * 7
    assert noise_trace(products, 5) == half_sample_error(products) == 0
    curvature = torch.full((7,), 0.3)
    assert batch_sharpness(curvature, products.diagonal()).error == 0
    assert ratio_of_means(curvature, products.diagonal()).error == pytest.approx(0, abs=1e-15)
    assert gradient_noise_interaction(curvature, 0.7).error == 0
    assert np.isnan(noise_curvature_alignment(products, products, 1.0))
    assert np.isnan(conditioning(covariance_eigenvalues(products)))


def test_one_batch_has_neither_error_nor_covariance() -> None:
    products, curvature = gram(torch.tensor([[2.0, 0.0]])), torch.tensor([6.0])
    assert batch_sharpness(curvature, products.diagonal()).value == 1.5
    actual = [
        batch_sharpness(curvature, products.diagonal()).error,
        ratio_of_means(curvature, products.diagonal()).error,
        gradient_noise_interaction(curvature, 1.0).error,
        noise_trace(products, 3),
        noise_scale(products, 3, 1.0),
        float(covariance_eigenvalues(products)),
        half_sample_error(products),
        noise_curvature_alignment(products, products, 1.0),
    ]
    assert np.isnan(actual).all()
    assert np.isnan(half_sample_error(gram(torch.eye(3))))
    assert np.isfinite(half_sample_error(gram(torch.eye(4))))


def test_a_gradient_of_zero_and_one_that_is_not_finite() -> None:
    zero, three = torch.zeros(3), torch.ones(3)
    actual = [
        batch_sharpness(zero, zero).value,
        ratio_of_means(zero, zero).value,
        gradient_noise_interaction(three, 0.0).value,
        noise_scale(torch.eye(3), 2, 0.0),
        float(dominant_share(torch.zeros(1, 2), torch.zeros(1))),
        *covariance_eigenvalues(torch.full((3, 3), torch.inf)).tolist(),
    ]
    assert np.isnan(actual).all()


def test_the_dominant_share_is_a_ratio_of_norms() -> None:
    directions = torch.linalg.qr(torch.randn(9, 3, generator=rng(7), dtype=torch.float64))[0].T
    gradients = torch.randn(4, 9, generator=rng(8), dtype=torch.float64)
    within = gradients @ directions.T @ directions
    shares = dominant_share(gram(gradients, directions), gram(gradients).diagonal())
    torch.testing.assert_close(shares, within.norm(dim=1) / gradients.norm(dim=1))
    torch.testing.assert_close(
        dominant_share(gram(within, directions), gram(within).diagonal()), torch.ones_like(shares)
    )


# --- nets


@pytest.mark.parametrize("name", fast(NETS, "resnet-bn", "lstm", "text-cnn"))
def test_batches_of_every_net(name: str, way: str) -> None:
    """In float64 against the dense Hessian of each batch, by forward over reverse; the last batch is smaller."""
    problem = reduced_net(name, 20)
    pairs = problem.chunks(5)
    gradients, curvature = batch_curvature(problem.loss, problem.theta, pairs, chunk_size=2)
    for m, (inputs, targets) in enumerate(pairs):
        batch = SmallProblem(problem.loss, problem.theta, inputs, targets)
        gradient = batch.gradient(problem.theta)
        torch.testing.assert_close(gradients[m], gradient, rtol=1e-9, atol=1e-12)
        assert float(curvature[m]) == pytest.approx(
            float(gradient @ batch.dense_hessian() @ gradient), rel=1e-9, abs=1e-12
        )


def test_batches_that_cannot_be_vectorised_are_measured_one_by_one() -> None:
    """Data-dependent control flow cannot be batched."""

    def loss(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        factor = 1.0 if float(theta.detach().sum()) > 0 else 2.0
        return factor * REGRESSION.loss(theta, x, y)

    actual = batch_curvature(loss, REGRESSION.theta, subsets(3))
    scale = 1.0 if float(REGRESSION.theta.sum()) > 0 else 2.0
    exact, curvature = by_hand(3)
    torch.testing.assert_close(actual[0], scale * exact)
    torch.testing.assert_close(actual[1], scale**3 * curvature)


def test_no_batch_and_no_second_derivative_are_refused() -> None:
    with pytest.raises(ValueError, match="no batch"):
        batch_curvature(REGRESSION.loss, REGRESSION.theta, [])

    words = torch.tensor([[0, 1]])

    def once(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return torch.nn.functional.embedding_bag(words, theta.view(2, 3), mode="max").square().sum()

    with pytest.raises(NotTwiceDifferentiableError):
        batch_curvature(once, REGRESSION.theta, subsets(3)[:2])
