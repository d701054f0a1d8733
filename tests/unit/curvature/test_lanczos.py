"""The eigensolver on symmetric matrices with a chosen spectrum, against numpy's dense solver.

Matrices are float64 unless a test is about float32; their eigenvectors are random. These tests do not show that a
repeated eigenvalue is found with its multiplicity among so many others that the start is not exhausted: from one start,
no Krylov method finds it.
"""

from typing import Any

import numpy as np
import pytest
import torch
from problems import rng
from torch import Tensor

from sharpest.curvature.lanczos import Eigenpairs, largest_eigenpairs, start_vector
from sharpest.curvature.subspace import Subspace

pytestmark = pytest.mark.core

EXTEND = Subspace.extend
TOLERANCE = 1e-9
"""Residual asked for, relative to |lambda_1|; eigenvalues are then right to its square over their gap."""
BULK = list(np.linspace(-0.9, 1.0, 60))


def symmetric(spectrum: list[float], seed: int = 0) -> tuple[Tensor, Tensor]:
    """A matrix (p, p) with a chosen spectrum, and its eigenvectors as rows in the same order."""
    size = len(spectrum)
    vectors, _ = torch.linalg.qr(torch.randn(size, size, generator=rng(seed), dtype=torch.float64))
    return (vectors * torch.tensor(spectrum, dtype=torch.float64)) @ vectors.T, vectors.T


def solve(
    matrix: Tensor,
    num_eigenpairs: int,
    tolerance: float = TOLERANCE,
    max_products: int = 1_000,
    start: Tensor | None = None,
    seed: int = 0,
) -> Eigenpairs:
    hints = [] if start is None else [start]
    return largest_eigenpairs(
        lambda vector: matrix @ vector, matrix[0], num_eigenpairs, tolerance, max_products, rng(seed + 200), hints
    )


def expected(matrix: Tensor, num_eigenpairs: int) -> np.ndarray:
    """The eigenvalues of largest magnitude, signed, largest first, from numpy."""
    values = np.linalg.eigvalsh(matrix.double().numpy())
    return np.sort(values[np.argsort(-np.abs(values))[:num_eigenpairs]])[::-1]


def true_residuals(matrix: Tensor, pairs: Eigenpairs) -> np.ndarray:
    """|Hv - lambda v| / |lambda_1| in float64."""
    vectors = pairs.eigenvectors.double()
    remainders = vectors @ matrix.double() - torch.from_numpy(pairs.eigenvalues.copy())[:, None] * vectors
    return remainders.norm(dim=1).numpy() / np.abs(np.linalg.eigvalsh(matrix.double().numpy())).max()


SPECTRA = {
    "positive": ([9.0, 7, 5, 3], 4),
    "mixed sign": ([9.0, -8, 7, -6, 5], 5),
    "pairs of opposite sign": ([5.0, -5, 4, -4, 3, -3], 6),
    "all negative": ([-9.0, -7, -5, -3], 4),
    "tiny gaps": ([5.0, 5 - 1e-6, 4, 4 - 1e-5, -3, -3 + 1e-6], 6),
    "one dominates": ([1e6, 1e3, 2e3], 3),
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("seed", [0, 1])
def test_leading_eigenvalues_beside_a_bulk(name: str, seed: int) -> None:
    top, num_eigenpairs = SPECTRA[name]
    matrix, _ = symmetric(top + BULK, seed)
    pairs = solve(matrix, num_eigenpairs, seed=seed)
    np.testing.assert_allclose(pairs.eigenvalues, sorted(top, reverse=True), rtol=0, atol=1e-12 * max(map(abs, top)))
    np.testing.assert_allclose(pairs.eigenvalues, expected(matrix, num_eigenpairs), rtol=1e-10)
    assert pairs.converged.all()
    assert pairs.num_products < len(matrix)


REPEATED = {
    "leading twice": ([5.0, 5, 3, 2, 1, 0, 0, 0, 0, 0, 0], 3),
    "in the middle": ([5.0, 3, 3, 3, 1, 1, 1, 1, 0, 0, 0], 5),
    "cut through copies": ([5.0, 3, 3, 3, 1, 1, 1, 1, 0, 0, 0], 3),
    "both signs": ([4.0, 4, -4, -4, 2, 2, -2, 1, 1, 1, 1], 7),
    "identity": ([1.0] * 11, 4),
    "minus identity": ([-1.0] * 11, 4),
    "low rank": ([5.0, -3] + [0.0] * 40, 2),
    "more pairs than rank": ([5.0, -3] + [0.0] * 40, 6),
    "all of them": ([5.0, 5, -5, 3, 3, 0, 0, -1], 8),
    "all of the identity": ([2.0] * 6, 6),
    "zero": ([0.0] * 7, 3),
    "one of one": ([-3.0], 1),
    "one of many": ([-3.0, 2, 2, 2, 1, 1], 1),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", REPEATED)
def test_repeated_and_zero_eigenvalues_come_with_their_multiplicity(name: str, dtype: torch.dtype) -> None:
    spectrum, num_eigenpairs = REPEATED[name]
    matrix, _ = symmetric(spectrum)
    double = dtype == torch.float64
    pairs = solve(matrix.to(dtype), num_eigenpairs, TOLERANCE if double else 1e-5)
    scale = max(map(abs, spectrum)) or 1.0
    # a few ulp of lambda_1
    np.testing.assert_allclose(
        pairs.eigenvalues, expected(matrix, num_eigenpairs), rtol=0, atol=scale * (1e-13 if double else 1e-6)
    )
    products = pairs.eigenvectors @ pairs.eigenvectors.T
    torch.testing.assert_close(products, torch.eye(num_eigenpairs, dtype=dtype), rtol=0, atol=1e-12 if double else 1e-5)
    assert pairs.converged.all()
    assert pairs.eigenvectors.dtype == dtype


@pytest.mark.parametrize("rest", [[0.0] * 80, BULK])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-9])
@pytest.mark.parametrize(("top", "num_eigenpairs"), [([10.0], 3), ([10.0, 10], 3), ([-10.0, 8, 8], 4), ([10.0], 1)])
def test_a_start_inside_an_invariant_subspace_hides_nothing(
    rest: list[float], tolerance: float, top: list[float], num_eigenpairs: int
) -> None:
    """The start spans only smaller eigenvalues; the larger ones outside must be found, with their multiplicity."""
    inside = [3.0, 2.9, 2.8]
    matrix, vectors = symmetric(top + inside + rest)
    start = vectors[len(top) : len(top) + 3].sum(dim=0)
    pairs = solve(matrix, num_eigenpairs, tolerance, start=start)
    # an eigenvalue is accurate to its squared residual over its gap, here more than 0.1; the set to the tolerance
    np.testing.assert_allclose(pairs.eigenvalues, expected(matrix, num_eigenpairs), rtol=0, atol=100 * tolerance)
    assert pairs.converged.all()


def test_an_exhausted_start_continues_if_needed() -> None:
    """A start exhausted only to the tolerance may contain a trace of later vectors that no other start adds."""
    matrix, vectors = symmetric([10.0, 10, 3, 2.9, 2.8, *np.linspace(-0.5, 1, 100)])
    pairs = solve(matrix, 3, 1e-10, start=vectors[2:5].sum(dim=0))
    np.testing.assert_allclose(pairs.eigenvalues, [10, 10, 3], rtol=1e-12)
    assert pairs.num_products <= 50


@pytest.mark.parametrize("seed", [19, 24, 29])
def test_an_earlier_start_that_goes_on_ends_the_later_one(seed: int) -> None:
    """The pairs found before do not show what the later start has found, so another start is needed."""
    matrix, vectors = symmetric([9.0, 4.8, *np.linspace(-1.2, 1, 41)], seed)
    pairs = solve(matrix, 6, 0.02, start=vectors[1], seed=seed)
    np.testing.assert_allclose(pairs.eigenvalues, expected(matrix, 6), rtol=0, atol=0.02)
    assert pairs.converged.all()


def test_an_eigenvector_as_start_hides_nothing() -> None:
    matrix, vectors = symmetric([7.0, 5, 5, 4, *BULK])
    pairs = solve(matrix, 4, start=vectors[3])
    np.testing.assert_allclose(pairs.eigenvalues, [7, 5, 5, 4], rtol=1e-10)


def test_signs_come_in_signed_order_of_the_largest_in_magnitude() -> None:
    matrix, _ = symmetric([1.0, -9, 3, -4, 0.5, 2, -0.1])
    np.testing.assert_allclose(solve(matrix, 4).eigenvalues, [3, 2, -4, -9], rtol=1e-10)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_residuals_are_true(tolerance: float, dtype: torch.dtype) -> None:
    matrix, _ = symmetric([6.0, -5.5, 5, 4, 3, *BULK])
    pairs = solve(matrix.to(dtype), 5, tolerance, max_products=40)
    true = true_residuals(matrix, pairs)
    noise = 1e-13 if dtype == torch.float64 else 2e-6  # rounding of a product
    assert np.all(true <= 1.05 * pairs.residuals + noise)
    # a bound far above the true value would cost products
    assert np.all(pairs.residuals <= 1.05 * true + noise)
    np.testing.assert_array_equal(pairs.converged, (pairs.residuals <= tolerance) & pairs.complete)


def test_residuals_after_an_exhausted_start_are_true() -> None:
    """Part of the residual of the second start's pairs lies in the first start's subspace."""
    matrix, vectors = symmetric([10.0, 10, 3, 2.9, 2.8, *BULK])
    pairs = solve(matrix, 5, 1e-3, start=vectors[2:5].sum(dim=0) + 1e-4 * vectors[0])
    assert np.all(true_residuals(matrix, pairs) <= 1.05 * pairs.residuals + 1e-13)
    assert pairs.converged.all()
    np.testing.assert_allclose(pairs.eigenvalues, [10, 10, 3, 2.9, 2.8], atol=1e-4)


@pytest.mark.parametrize("max_products", [5, 8, 12])
def test_unconverged_pairs_are_flagged(max_products: int) -> None:
    matrix, _ = symmetric(list(np.linspace(1, 2, 80)))
    pairs = solve(matrix, 5, max_products=max_products)
    assert pairs.num_products == max_products
    assert not pairs.complete
    assert not pairs.converged.any()
    true = true_residuals(matrix, pairs)
    # relative to the largest value found, which is below the true one
    assert np.all(pairs.residuals >= true * (1 - 1e-10))


def test_products_are_counted() -> None:
    matrix, _ = symmetric([6.0, 5, 4, *BULK])
    calls = 0

    def product(vector: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return matrix @ vector

    pairs = largest_eigenpairs(product, torch.ones(63, dtype=torch.float64), 3, 1e-6, 100, rng(0))
    assert pairs.num_products == calls
    assert pairs.seconds > 0


def test_wide_gaps_need_few_products() -> None:
    """Both ends converge long before the space is full, and a few products show that nothing is missing."""
    matrix, _ = symmetric([100.0, -80, 60, *np.linspace(-1, 1, 300)])
    assert solve(matrix, 3, tolerance=1e-3).num_products <= 13


@pytest.mark.parametrize("spectrum", [np.linspace(1, 2, 300), np.linspace(-2, 2, 201), np.arange(250) ** 0.5])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_full_basis_is_compressed(spectrum: np.ndarray, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slowly decaying spectra need more products than there are rows; memory stays that of the first block."""
    largest = 0

    def extend(space: Subspace, *arguments: Any) -> Any:
        nonlocal largest
        coupling = EXTEND(space, *arguments)
        largest = max(largest, len(space._block))
        return coupling

    monkeypatch.setattr(Subspace, "extend", extend)
    matrix, _ = symmetric(list(spectrum))
    tolerance = 1e-9 if dtype == torch.float64 else 1e-4
    pairs = solve(matrix.to(dtype), 5, tolerance)
    assert pairs.num_products > 32
    assert largest == 32
    assert pairs.converged.all()
    np.testing.assert_allclose(
        np.abs(pairs.eigenvalues), np.abs(expected(matrix, 5)), rtol=1e-10 if dtype == torch.float64 else 1e-4
    )
    true = true_residuals(matrix, pairs)
    noise = 1e-12 if dtype == torch.float64 else 2e-6
    assert np.all(true <= 1.05 * pairs.residuals + noise)


@pytest.mark.parametrize(("seed", "tolerance"), [(59, 1e-2), (134, 1e-2), (116, 5e-2), (77, 5e-2)])
def test_the_solver_waits_for_values_that_could_still_lead(seed: int, tolerance: float) -> None:
    """Six pairs are within the tolerance while another Ritz value is still rising to a place among them."""
    draws = np.random.default_rng(seed)
    leading = draws.uniform(0.3, 1, 12) * draws.choice([-1, 1], 12)
    matrix, _ = symmetric(np.sort(np.concatenate([leading, 0.15 * draws.normal(size=60)])).tolist(), seed)
    computed = np.sort(np.abs(solve(matrix, 6, tolerance, seed=seed).eigenvalues))
    target = np.sort(np.abs(expected(matrix, 6)))
    np.testing.assert_allclose(computed, target, rtol=0, atol=tolerance * target[-1])


def test_residuals_near_the_rounding_are_verified() -> None:
    """A float32 operator cannot give residuals of 1e-8: the bound would claim so, the product shows otherwise."""
    matrix, _ = symmetric([6.0, -5.5, 5, 4, 3, *BULK])
    pairs = solve(matrix.float(), 5, tolerance=1e-8, max_products=60)
    np.testing.assert_allclose(pairs.residuals, true_residuals(matrix, pairs), rtol=0.5, atol=1e-7)
    assert not pairs.converged.all()
    assert pairs.num_products <= 65


def test_an_operator_that_is_not_symmetric_is_not_trusted() -> None:
    """The bounds hold only for symmetric operators; one product per pair shows the true residual."""
    matrix, _ = symmetric([6.0, -5.5, 5, 4, 3, *BULK])
    matrix[0] *= 1.5
    pairs = solve(matrix, 3, tolerance=1e-3)
    residuals = (matrix @ pairs.eigenvectors.T).T - torch.from_numpy(pairs.eigenvalues)[:, None] * pairs.eigenvectors
    np.testing.assert_allclose(pairs.residuals * np.abs(pairs.eigenvalues).max(), residuals.norm(dim=1), rtol=1e-6)
    assert not pairs.converged.all()


def test_an_asymmetry_of_a_fifth_of_the_tolerance_is_enough_to_verify() -> None:
    matrix, _ = symmetric([9.0, 7, 5, *BULK])
    noise = torch.randn(63, 63, generator=rng(5), dtype=torch.float64)
    exact = solve(matrix, 3, tolerance=1e-3)
    matrix += 1.5e-4 * (noise - noise.T)
    pairs = solve(matrix, 3, tolerance=1e-3)
    assert pairs.num_products == exact.num_products + 3  # the exact operator is not verified
    residuals = matrix @ pairs.eigenvectors.T - pairs.eigenvectors.T * torch.from_numpy(pairs.eigenvalues)
    np.testing.assert_allclose(pairs.residuals, residuals.norm(dim=0) / pairs.eigenvalues[0], rtol=1e-9)


def test_the_same_seed_gives_the_same_bits() -> None:
    matrix, _ = symmetric([5.0, 5, 3, 3, *[0.0] * 20])
    first, second = (solve(matrix.float(), 5, 1e-5) for _ in range(2))
    assert np.array_equal(first.eigenvalues, second.eigenvalues)
    assert torch.equal(first.eigenvectors, second.eigenvectors)
    assert np.array_equal(first.residuals, second.residuals)


@pytest.mark.parametrize("num_eigenpairs", [0, 4])
def test_a_count_outside_the_dimension_is_refused(num_eigenpairs: int) -> None:
    matrix, _ = symmetric([3.0, 2, 1])
    with pytest.raises(ValueError, match=f"num_eigenpairs {num_eigenpairs} must lie within 1..3"):
        solve(matrix, num_eigenpairs)


def test_too_few_products_are_refused() -> None:
    matrix, _ = symmetric([3.0, 2, 1])
    with pytest.raises(ValueError, match="max_products 1 is below num_eigenpairs 2"):
        solve(matrix, 2, max_products=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("after", [0, 7])
def test_a_diverged_operator_gives_nan_and_no_crash(value: float, after: int) -> None:
    matrix, _ = symmetric([6.0, 5, 4, *BULK])
    calls = 0

    def product(vector: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return matrix @ vector if calls <= after else torch.full_like(vector, value)

    pairs = largest_eigenpairs(product, torch.ones(63, dtype=torch.float64), 3, 1e-6, 100, rng(0))
    assert np.isnan(pairs.eigenvalues).all()
    assert np.isnan(pairs.residuals).all()
    assert not pairs.converged.any()
    assert pairs.eigenvectors.shape == (3, 63)
    assert pairs.num_products == after + 1


def test_a_warm_start_finds_a_newly_leading_direction() -> None:
    """A direction that was absent from the previous vectors has become the leading one."""
    before, vectors = symmetric([5.0, 4, 3, 0.0, *BULK, *[0.0] * 200])
    previous = solve(before, 3).eigenvectors.float().sum(dim=0)
    for value in (9.0, 4.5, -3.2):
        now = before + value * torch.outer(vectors[3], vectors[3])
        pairs = solve(now, 3, tolerance=1e-3, start=previous)
        np.testing.assert_allclose(pairs.eigenvalues, expected(now, 3), rtol=0, atol=1e-3 * 9)


def test_a_warm_start_saves_products() -> None:
    matrix, _ = symmetric([50.0, -40, 30, 20, *np.linspace(-1, 1, 300)])
    cold = solve(matrix.float(), 4, 1e-3)
    warm = solve(matrix.float(), 4, 1e-3, start=cold.eigenvectors.sum(dim=0))
    assert warm.num_products < cold.num_products


def test_start_vectors_lean_towards_the_previous_ones() -> None:
    previous = torch.randn(500, generator=rng(3), dtype=torch.float64)
    cold, warm = start_vector(rng(1), 500), start_vector(rng(1), 500, [previous])
    assert warm.dtype == torch.float64
    assert float(cold.norm()) == pytest.approx(1)
    # the random part is whole: the witness of a search counts on its length
    torch.testing.assert_close(warm, previous / (0.3 * previous.norm()) + cold.double())
    assert torch.equal(start_vector(rng(1), 500), cold)


def test_hints_weigh_the_same_whatever_their_lengths() -> None:
    """A gradient of length 1e-3, and the sum of eigenvectors."""
    one, other = torch.eye(500, dtype=torch.float64)[:2]
    start = start_vector(rng(1), 500, [1e-3 * one, 5 * other])
    assert torch.equal(start, start_vector(rng(1), 500, [one, other]))
    # 1 / (0.3 sqrt(2)) of each, plus noise
    assert (float(start @ one), float(start @ other)) == (pytest.approx(2.36, abs=0.2), pytest.approx(2.36, abs=0.2))


@pytest.mark.parametrize("hints", [[torch.zeros(500)], [torch.ones(500), -torch.ones(500)]])
def test_without_hints_the_start_is_cold(hints: list[Tensor]) -> None:
    assert torch.equal(start_vector(rng(1), 500, hints), start_vector(rng(1), 500))


def test_float32_sums_over_many_parameters_keep_their_digits() -> None:
    """Long float32 sums drift: by 3e-6 here, growing with p, if lengths or inner products use them."""
    size = 400_000
    flat = torch.ones(size, dtype=torch.float64)
    halves = torch.cat([flat[: size // 2], -flat[: size // 2]])
    vectors = torch.stack([flat, halves]) / size**0.5
    values = torch.tensor([5.0, -4.0], dtype=torch.float64)

    def product(vector: Tensor) -> Tensor:
        return (vectors.T @ (values * (vectors @ vector.double()))).float()

    pairs = largest_eigenpairs(product, torch.zeros(size), 2, 1e-5, 50, rng(1))
    np.testing.assert_allclose(pairs.eigenvalues, values, rtol=3e-7)
    lengths = pairs.eigenvectors.double().norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(2, dtype=torch.float64), rtol=0, atol=3e-7)
