"""The eigensolver on symmetric matrices with a chosen spectrum, against numpy's dense solver.

Matrices are float64 unless a test is about float32; their eigenvectors are random. These tests do not show that a
repeated eigenvalue is found with its multiplicity among so many others that the start is not exhausted: from one start,
no Krylov method finds it.
"""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from problems import Matrix, reduced_net, rng
from torch import Tensor

from sharpest.curvature import Eigenpairs, Hessian, eigenpairs, lanczos
from sharpest.curvature.lanczos import largest_eigenpairs, start_vector
from sharpest.curvature.sizes import basis_size
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
    "mixed sign beside a bulk": ([9.0, -8, 7, -6, 5, *BULK], 5),
    "negative beside a bulk": ([-9.0, -7, -5, -3, *BULK], 4),
    "tiny gaps": ([5.0, 5 - 1e-6, 4, 4 - 1e-5, -3, -3 + 1e-6, *BULK], 6),
    "one dominates": ([1e6, 1e3, 2e3, *BULK], 3),
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
@pytest.mark.parametrize("name", SPECTRA)
def test_eigenvalues_come_with_their_multiplicity_and_sign(name: str, dtype: torch.dtype) -> None:
    spectrum, num_eigenpairs = SPECTRA[name]
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


def test_residuals_after_an_exhausted_start_are_true() -> None:
    """Part of the residual of the second start's pairs lies in the first start's subspace."""
    matrix, vectors = symmetric([10.0, 10, 3, 2.9, 2.8, *BULK])
    pairs = solve(matrix, 5, 1e-3, start=vectors[2:5].sum(dim=0) + 1e-4 * vectors[0])
    assert np.all(true_residuals(matrix, pairs) <= 1.05 * pairs.residuals + 1e-13)
    assert pairs.converged.all()
    np.testing.assert_allclose(pairs.eigenvalues, [10, 10, 3, 2.9, 2.8], atol=1e-4)


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


def test_an_asymmetry_of_a_fifth_of_the_tolerance_is_enough_to_verify() -> None:
    matrix, _ = symmetric([9.0, 7, 5, *BULK])
    noise = torch.randn(63, 63, generator=rng(5), dtype=torch.float64)
    exact = solve(matrix, 3, tolerance=1e-3)
    matrix += 1.5e-4 * (noise - noise.T)
    pairs = solve(matrix, 3, tolerance=1e-3)
    assert pairs.num_products == exact.num_products + 3  # the exact operator is not verified
    residuals = matrix @ pairs.eigenvectors.T - pairs.eigenvectors.T * torch.from_numpy(pairs.eigenvalues)
    np.testing.assert_allclose(pairs.residuals, residuals.norm(dim=0) / pairs.eigenvalues[0], rtol=1e-9)


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


def test_start_vectors_lean_towards_hints_which_weigh_the_same_whatever_their_lengths() -> None:
    """The random part is whole: the witness of a search counts on its length."""
    one, other = torch.randn(2, 500, generator=rng(3), dtype=torch.float64)
    cold, warm = start_vector(rng(1), 500), start_vector(rng(1), 500, [one])
    assert float(cold.norm()) == pytest.approx(1)
    torch.testing.assert_close(warm, one / (0.3 * one.norm()) + cold.double())
    start = start_vector(rng(1), 500, [one, other])
    torch.testing.assert_close(start_vector(rng(1), 500, [1e-3 * one, 5 * other]), start)
    for useless in ([torch.zeros(500)], [torch.ones(500), -torch.ones(500)]):
        assert torch.equal(start_vector(rng(1), 500, useless), cold)


# --- with defaults


@pytest.fixture
def operator() -> Hessian:
    return reduced_net("simple-cnn-same").hessian(5, torch.float32)


def equal(first: Eigenpairs, second: Eigenpairs) -> bool:
    """Equal in all bits except the time."""
    fields = [field.name for field in dataclasses.fields(Eigenpairs) if field.name != "seconds"]
    pairs = [[np.asarray(getattr(pairs, name)) for name in fields] for pairs in (first, second)]
    return all(np.array_equal(left, right) for left, right in zip(*pairs, strict=True))


def test_five_pairs_to_a_thousandth_by_default_and_the_seed_decides(operator: Hessian) -> None:
    """A generator is a seed that advances."""
    pairs, draws = eigenpairs(operator), rng(0)
    assert pairs.eigenvectors.shape == (5, len(operator.theta))
    assert pairs.converged.all()
    assert 1e-6 < pairs.residuals.max() <= 1e-3  # no more than requested
    assert equal(eigenpairs(operator, seed=draws), pairs)
    assert not equal(eigenpairs(operator, seed=draws), pairs)


def first_vector(operator: Hessian, **options: object) -> Tensor:
    """The vector of the first product."""
    vectors: list[Tensor] = []

    class Watched:
        theta, gradient = operator.theta, operator.gradient

        def product(self, vector: Tensor) -> Tensor:
            vectors.append(vector.clone())
            return operator.product(vector)

    assert eigenpairs(Watched(), **options).num_products == len(vectors)
    return vectors[0]


def test_the_start_uses_the_gradient_and_known_vectors(operator: Hessian) -> None:
    """As pairs or as a vector, in any precision."""
    gradient = operator.gradient / operator.gradient.norm()
    assert float(first_vector(operator) @ gradient) > 0.9
    warm = eigenpairs(operator, seed=5)
    total = warm.eigenvectors.sum(dim=0)
    start = first_vector(operator, warm=warm)
    assert torch.equal(start, first_vector(operator, warm=total.double()))
    assert start.dtype == torch.float32
    assert abs(float(total @ gradient / total.norm())) < 0.6
    assert min(float(start @ total / total.norm()), float(start @ gradient)) > 0.7


def test_a_warm_start_saves_products() -> None:
    matrix = torch.diag(torch.tensor([50.0, -40, 30, 20, *torch.linspace(-1, 1, 300)]))
    cold = eigenpairs(Matrix(matrix), k=4)
    assert eigenpairs(Matrix(matrix), k=4, seed=1, warm=cold).num_products < cold.num_products


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"k": 0}, "k 0 must lie within 1..6, the number of parameters"),
        ({"k": 7}, "k 7 must lie within 1..6, the number of parameters"),
        ({"k": 2, "max_products": 1}, "max_products 1 is below num_eigenpairs 2"),
        ({"k": 2, "which": "both"}, "which is 'both'; give one of magnitude, largest, smallest"),
        ({"k": 1, "warm": torch.ones(5)}, r"warm has shape \(5,\), but the Hessian has 6 parameters"),
        ({"k": 1, "warm": torch.ones(2, 6)}, r"warm has shape \(2, 6\), but the Hessian has 6 parameters"),
    ],
)
def test_meaningless_arguments_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eigenpairs(Matrix(torch.eye(6)), **given)
    with pytest.raises(ValueError, match="num_eigenpairs 4 must lie within"):
        solve(torch.eye(3), 4)


@pytest.mark.parametrize("k", [1, 10, 11, 40])
def test_products_are_limited_by_default(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []
    real = lanczos.largest_eigenpairs
    monkeypatch.setattr(lanczos, "largest_eigenpairs", lambda *given: limits.append(given[4]) or real(*given))
    eigenpairs(Matrix(torch.diag(torch.arange(60.0))), k=k)
    eigenpairs(Matrix(torch.diag(torch.arange(60.0))), k=k, max_products=50)
    assert limits == [max(640, 60 * k), 50]
    assert basis_size(k) == max(32, 3 * k)
