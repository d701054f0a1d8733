"""Spectral densities against dense spectra, matrices with known spectra, and the spread of many estimates."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from problems import Matrix, reduced_net, reduced_net_hessian, rng, softmax_regression, softmax_regression_hessian
from torch import Tensor

from sharpest.curvature import SpectralDensity, spectral_density
from sharpest.curvature.density import sum_of
from sharpest.curvature.quadrature import grid_over, smeared

pytestmark = pytest.mark.core


def with_spectrum(values: Tensor) -> Tensor:
    vectors, _ = torch.linalg.qr(torch.randn(len(values), len(values), generator=rng(0), dtype=torch.float64))
    return (vectors * values) @ vectors.T


def wishart_with_outliers(size: int = 600) -> Tensor:
    """Outliers 5, 4, 3 and a Marchenko-Pastur bulk that ends below 2.

    Source: Papyan (2020), Sec. 4.
    """
    noise = torch.randn(size, 8 * size, generator=rng(0), dtype=torch.float64)
    bulk = noise @ noise.T / (8 * size)  # up to (1 + 8 ** -0.5) ** 2 = 1.83
    directions, _ = torch.linalg.qr(torch.randn(size, 3, generator=rng(1), dtype=torch.float64))
    inside = torch.eye(size, dtype=torch.float64) - directions @ directions.T
    return inside @ bulk @ inside + (directions * torch.tensor([5.0, 4.0, 3.0], dtype=torch.float64)) @ directions.T


def integral(density: SpectralDensity) -> float:
    return float(density.density.sum() * (density.grid[1] - density.grid[0]))


def distribution(nodes: NDArray[np.float64], weights: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray:
    """Fraction of the mass at or below each value."""
    order = np.argsort(nodes.ravel())
    below = np.append(0, np.cumsum(weights.ravel()[order]) / len(nodes))
    return below[np.searchsorted(nodes.ravel()[order], at, side="right")]


def test_a_net() -> None:
    """After 50 steps of descent, against all its eigenvalues."""
    hessian = reduced_net("text-cnn", 50).hessian(5)
    exact = np.linalg.eigvalsh(reduced_net_hessian("text-cnn", 50).numpy())
    density = spectral_density(hessian, num_probes=10, num_steps=60, seed=1)
    assert density.dimension == len(exact)
    assert density.num_products == 600
    assert density.nodes.shape == density.weights.shape == (10, 60)
    np.testing.assert_allclose(density.weights.sum(axis=1), 1, rtol=1e-12)
    assert integral(density) == pytest.approx(1, abs=1e-10)
    assert abs(density.trace.value - exact.sum()) < 3 * density.trace.error
    assert abs(density.frobenius_sq.value - (exact**2).sum()) < 3 * density.frobenius_sq.error
    # the leading eigenvalues are nodes of every probe
    for nodes in density.nodes:
        np.testing.assert_allclose(nodes[-5:], exact[-5:], rtol=1e-8)
    # Kolmogorov distance outside the null space, where the steps of both distributions coincide
    away = np.linspace(0.02, 1.1, 200) * exact[-1]
    far = np.abs(distribution(density.nodes, density.weights, away) - (exact <= away[:, None]).mean(axis=1))
    assert far.max() < 0.02


def test_enough_probes_and_steps_are_exact() -> None:
    problem = softmax_regression(20, seed=3)
    exact = np.linalg.eigvalsh(softmax_regression_hessian(problem).numpy())
    density = spectral_density(problem.hessian(), num_probes=17, num_steps=120)
    assert len(density.nodes) == 12
    for estimate, value in ((density.trace, exact.sum()), (density.frobenius_sq, (exact**2).sum())):
        assert estimate.value == pytest.approx(value, rel=1e-8, abs=1e-10)
        assert estimate.error == 0
    smear = smeared(exact[None], np.full((1, 12), 1 / 12), density.width, density.grid)
    np.testing.assert_allclose(density.density, smear, atol=1e-4 * smear.max())


def test_outliers_are_separate_peaks() -> None:
    """5, 4 and 3, with a mass of 1 / dimension each, and nothing between them and the bulk."""
    matrix = wishart_with_outliers()
    density = spectral_density(Matrix(matrix), num_probes=8, num_steps=60, relative_width=5e-3)
    seen = density.density > 1e-9 * density.density.max()
    starts = np.flatnonzero(np.diff(seen.astype(int)) == 1) + 1
    ends = np.flatnonzero(np.diff(seen.astype(int)) == -1) + 1
    peaks = [start + np.argmax(density.density[start:end]) for start, end in zip(starts, ends, strict=True)]
    spacing = density.grid[1] - density.grid[0]
    np.testing.assert_allclose(density.grid[peaks[-3:]], [3, 4, 5], atol=spacing)
    assert density.grid[ends[-4]] < 2  # the bulk, and the three zeros left in it by the outliers' directions
    for start, end in zip(starts[-3:], ends[-3:], strict=True):
        # mean of 8 squared entries of unit vectors: chi-squared with 8 degrees of freedom, within 0.1 %
        assert 0.1 < density.density[start:end].sum() * spacing * len(matrix) < 3.3


def test_an_exhausted_krylov_space_ends_the_run() -> None:
    """Three distinct eigenvalues: three products per probe, however many are allowed; also in float32."""
    values = torch.tensor([2.0] * 5 + [-1.0] * 3 + [0.0] * 22, dtype=torch.float64)
    for matrix in (with_spectrum(values), with_spectrum(values).float()):
        density = spectral_density(Matrix(matrix), num_probes=30, num_steps=30)
        assert density.num_products == 90
        assert density.nodes.shape == (30, 30)
        np.testing.assert_allclose(density.nodes[:, :3], [[-1, 0, 2]] * 30, atol=1e-5)
        assert (density.nodes[:, 3:] == density.nodes[:, 2:3]).all()
        assert (density.weights[:, 3:] == 0).all()
        np.testing.assert_allclose(density.weights[:, :3].mean(axis=0), [3 / 30, 22 / 30, 5 / 30], rtol=1e-5)


def test_a_zero_operator_and_the_identity() -> None:
    for scale in (0.0, 1.0):
        density = spectral_density(Matrix(scale * torch.eye(9, dtype=torch.float64)), num_probes=3)
        assert density.num_products == 3
        np.testing.assert_allclose(density.nodes, scale, atol=1e-12)
        assert integral(density) == pytest.approx(1, abs=1e-10)
        assert density.width == pytest.approx(2e-3)  # relative to 1, since neither has a spread


SPECTRA = {
    "one eigenvalue": torch.eye(60)[0],
    "squares": 1 / torch.arange(1, 61) ** 2,
    "both signs": torch.linspace(-1, 2, 60),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_error_bars_cover_the_truth_without_bias(name: str) -> None:
    """In 94 of 100 draws; a spread over few probes misses one very large eigenvalue: its bars cover 60 to 80 %."""
    values = SPECTRA[name].double()
    densities = [spectral_density(Matrix(with_spectrum(values)), 4, 3, 2, seed=seed) for seed in range(100)]
    for moment, exact in (("trace", values.sum()), ("frobenius_sq", values.square().sum())):
        estimates = [getattr(density, moment) for density in densities]
        assert np.mean([abs(each.value - float(exact)) < 2 * each.error for each in estimates]) >= 0.94
        actual = [each.value for each in estimates]
        assert np.mean(actual) == pytest.approx(float(exact), abs=4 * np.std(actual) / math.sqrt(len(actual)))
    assert math.isnan(sum_of(np.array([[3.0, 5.0]]), np.array([[0.5, 0.5]]), 10).error)  # one probe has no error


def test_a_loss_that_is_not_finite() -> None:
    density = spectral_density(Matrix(torch.full((5, 5), torch.nan)), num_probes=2)
    assert np.isnan(density.nodes).all()
    assert np.isnan(density.density).all()
    assert np.isnan([density.trace.value, density.frobenius_sq.value]).all()


def test_the_seed_decides() -> None:
    matrix = Matrix(with_spectrum(torch.linspace(-1, 2, 30).double()).float())
    first, again, other = (spectral_density(matrix, 2, 8, seed=seed) for seed in (1, rng(1), 2))
    np.testing.assert_array_equal(first.density, again.density)
    assert not np.array_equal(first.nodes, other.nodes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_probes": 1}, "num_probes 1 is too few for an error; take 2 or more"),
        ({"num_steps": 1}, "num_steps 1 is too few for the error of the Frobenius norm; take 3 or more"),
        ({"grid_points": 1}, "grid_points 1 is too few for a grid; take 2 or more"),
        ({"relative_width": 0.0}, "relative_width 0.0 should be above 0"),
    ],
)
def test_invalid_inputs_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spectral_density(Matrix(torch.eye(4)), **changes)


@pytest.mark.parametrize("num_points", [3, 40, 4000])
def test_cells_keep_the_integral(num_points: int) -> None:
    """Whether they are wider than the Gaussian or not; fine cells have its height and width."""
    nodes, weights = np.array([[-1.0, 2.0], [0.5, 2.0]]), np.array([[0.25, 0.75], [0.5, 0.5]])
    grid = grid_over(nodes, 0.1, num_points)
    density = smeared(nodes, weights, 0.1, grid)
    spacing = grid[1] - grid[0]
    assert density.sum() * spacing == pytest.approx(1, abs=1e-11)
    assert (density * grid).sum() * spacing == pytest.approx(1.25, abs=2e-3 if num_points > 3 else 1)
    if num_points == 4000:
        peak = 0.625 / (0.1 * math.sqrt(2 * math.pi))
        assert density.max() == pytest.approx(peak, rel=1e-3)
        assert (density * (grid - 2) ** 2)[grid > 1.3].sum() * spacing == pytest.approx(0.625 * 0.01, rel=1e-3)
