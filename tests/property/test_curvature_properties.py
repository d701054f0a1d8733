"""Properties of every operator and every symmetric matrix."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import (
    NETS,
    reduced_net,
    rng,
    softmax_regression,
    softmax_regression_hessian,
    two_layer_linear_net,
    two_layer_linear_net_hessian,
)

from sharpest.curvature.lanczos import largest_eigenpairs

pytestmark = pytest.mark.core

SEEDS = st.integers(0, 2**31)
CLOSE = {"rtol": 1e-9, "atol": 1e-11}
"""Some digits above the rounding of a float64 sum over at most 40 examples."""


@given(num_examples=st.integers(1, 40), chunk_size=st.integers(1, 16), seed=SEEDS)
def test_the_product_does_not_depend_on_chunks(num_examples: int, chunk_size: int, seed: int) -> None:
    for problem, hessian in (
        (softmax_regression(num_examples, seed), softmax_regression_hessian),
        (two_layer_linear_net(num_examples, seed), two_layer_linear_net_hessian),
    ):
        vector = problem.vector(seed)
        torch.testing.assert_close(problem.hessian(chunk_size).product(vector), hessian(problem) @ vector, **CLOSE)


@settings(max_examples=25)
@given(name=st.sampled_from(sorted(NETS)), chunk_size=st.integers(1, 12), seed=SEEDS)
def test_the_product_on_a_net_does_not_depend_on_chunks(name: str, chunk_size: int, seed: int) -> None:
    problem = reduced_net(name)
    vector = problem.vector(seed)
    torch.testing.assert_close(problem.hessian(chunk_size).product(vector), problem.hessian().product(vector), **CLOSE)


@settings(max_examples=25)
@given(name=st.sampled_from(sorted(NETS)), chunk_size=st.sampled_from([12, 5]), seed=SEEDS, scale=st.floats(-3, 3))
def test_the_product_is_symmetric_and_linear(name: str, chunk_size: int, seed: int, scale: float) -> None:
    problem = reduced_net(name)
    hessian = problem.hessian(chunk_size)
    u, v = problem.vector(seed), problem.vector(seed + 1)
    hu, hv = hessian.product(u), hessian.product(v)
    torch.testing.assert_close(u @ hv, v @ hu, **CLOSE)
    torch.testing.assert_close(hessian.product(u + scale * v), hu + scale * hv, **CLOSE)


@st.composite
def spectra(draw: st.DrawFn) -> tuple[list[float], int]:
    """Eigenvalues with few distinct values, hence often repeated, and the number of leading ones to compute."""
    values = draw(st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30))
    return values, draw(st.integers(1, len(values)))


@settings(max_examples=200)
@given(case=spectra(), seed=SEEDS)
def test_eigenpairs_of_a_chosen_spectrum(case: tuple[list[float], int], seed: int) -> None:
    """Values with multiplicity, order, orthonormal vectors, true residuals, correct flags."""
    values, num_eigenpairs = case
    basis, _ = torch.linalg.qr(torch.randn(len(values), len(values), generator=rng(seed), dtype=torch.float64))
    matrix = (basis * torch.tensor(values, dtype=torch.float64)) @ basis.T
    start = torch.randn(len(values), generator=rng(seed + 1), dtype=torch.float64)
    pairs = largest_eigenpairs(lambda vector: matrix @ vector, start, num_eigenpairs, 1e-9, 1_000, rng(seed + 2))

    # of +x and -x at the cut-off either may be chosen, so magnitudes are compared
    expected = np.sort(np.abs(values))[::-1][:num_eigenpairs]
    np.testing.assert_allclose(np.sort(np.abs(pairs.eigenvalues))[::-1], expected, rtol=0, atol=1e-8)
    assert np.all(np.diff(pairs.eigenvalues) <= 0)
    identity = torch.eye(num_eigenpairs, dtype=torch.float64)
    torch.testing.assert_close(pairs.eigenvectors @ pairs.eigenvectors.T, identity, rtol=0, atol=1e-10)
    images = pairs.eigenvectors @ matrix
    residuals = (images - torch.from_numpy(pairs.eigenvalues.copy())[:, None] * pairs.eigenvectors).norm(dim=1)
    assert float(residuals.max()) <= 1e-8
    assert pairs.converged.all()
    assert pairs.num_products <= len(values)


@settings(max_examples=50)
@given(seed=SEEDS, max_products=st.integers(4, 30), tolerance=st.sampled_from([1e-2, 1e-4, 1e-6]))
def test_flags_are_correct_for_any_limit(seed: int, max_products: int, tolerance: float) -> None:
    values = torch.randn(40, generator=rng(seed), dtype=torch.float64)
    basis, _ = torch.linalg.qr(torch.randn(40, 40, generator=rng(seed + 1), dtype=torch.float64))
    matrix = (basis * values) @ basis.T
    start = torch.ones(40, dtype=torch.float64)
    pairs = largest_eigenpairs(lambda vector: matrix @ vector, start, 4, tolerance, max_products, rng(seed + 2))
    images = pairs.eigenvectors @ matrix
    residuals = (images - torch.from_numpy(pairs.eigenvalues.copy())[:, None] * pairs.eigenvectors).norm(dim=1).numpy()
    scale = np.abs(pairs.eigenvalues).max()
    np.testing.assert_allclose(residuals / scale, pairs.residuals, rtol=1e-6, atol=1e-13)
    np.testing.assert_array_equal(pairs.converged, (pairs.residuals <= tolerance) & pairs.complete)
