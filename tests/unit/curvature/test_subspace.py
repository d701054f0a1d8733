"""The invariant of a basis: H Q = Q T + sum of remainder x coefficients, with Q orthonormal."""

import numpy as np
import pytest
import torch
from problems import rng
from torch import Tensor

from sharpest.curvature.subspace import Subspace

pytestmark = pytest.mark.core

SIZE = 40


def operator() -> Tensor:
    matrix = torch.randn(SIZE, SIZE, generator=rng(0), dtype=torch.float64)
    return matrix + matrix.T


def grown(rows: int, second_start_at: int | None = None, capacity: int = 16) -> Subspace:
    """A basis with some rows; a second random start leaves a remainder of the first."""
    matrix, space = operator(), Subspace(torch.zeros(SIZE, dtype=torch.float64), capacity)
    space.extend(torch.randn(SIZE, generator=rng(1), dtype=torch.float64), lambda vector: matrix @ vector)
    for row in range(1, rows):
        random = torch.randn(SIZE, generator=rng(2), dtype=torch.float64)
        source = space.outside(space.outside(random)) if row == second_start_at else space.remainders[-1]
        space.extend(source, lambda vector: matrix @ vector)
    return space


def check(space: Subspace) -> None:
    rows = space.rows
    torch.testing.assert_close(rows @ rows.T, torch.eye(space.size, dtype=torch.float64), rtol=0, atol=1e-12)
    image = torch.from_numpy(space.projected) @ rows
    for remainder in space.remainders:
        image += torch.outer(torch.from_numpy(remainder.coefficients), remainder.vector)
        assert remainder.length == pytest.approx(float(remainder.vector.norm()), rel=1e-12)
        assert float((rows @ remainder.vector).abs().max()) < 1e-12
    torch.testing.assert_close(rows @ operator(), image, rtol=0, atol=1e-11)


@pytest.mark.parametrize("second_start_at", [None, 5])
def test_the_relation_holds_as_rows_are_added(second_start_at: int | None) -> None:
    space = grown(12, second_start_at)
    assert len(space.remainders) == (1 if second_start_at is None else 2)
    check(space)
    assert space.asymmetry < 1e-12


@pytest.mark.parametrize("second_start_at", [None, 5])
@pytest.mark.parametrize("kept", [1, 6])
def test_the_relation_survives_a_compression(second_start_at: int | None, kept: int) -> None:
    space, matrix = grown(12, second_start_at), operator()
    ritz, weights = np.linalg.eigh(space.projected)
    space.compress(weights[:, -kept:])
    np.testing.assert_allclose(space.projected, np.diag(ritz[-kept:]), atol=1e-12)
    check(space)
    for _ in range(3):
        space.extend(space.remainders[-1], lambda vector: matrix @ vector)
        check(space)
    assert space.asymmetry < 1e-11


def test_the_memory_grows_only_when_it_is_full() -> None:
    space = grown(16)
    assert space.full
    first = space.rows.data_ptr()
    space.extend(space.remainders[-1], lambda vector: operator() @ vector)
    assert not space.full
    assert space.rows.data_ptr() != first
    check(space)


def test_the_asymmetry_is_that_of_the_operator() -> None:
    matrix, space = operator(), Subspace(torch.zeros(SIZE, dtype=torch.float64), 16)
    matrix[0] += 0.3 * torch.randn(SIZE, generator=rng(3), dtype=torch.float64)
    space.extend(torch.randn(SIZE, generator=rng(1), dtype=torch.float64), lambda vector: matrix @ vector)
    for _ in range(10):
        space.extend(space.remainders[-1], lambda vector: matrix @ vector)
    assert space.asymmetry > 1e-3


def test_rows_stay_orthogonal_where_little_of_an_image_is_outside() -> None:
    """A nearly invariant start, in float32: after one pass, what lies outside is rounding of what lies inside."""
    matrix = operator().float()
    matrix[:6, 6:] = matrix[6:, :6] = 0
    source = torch.cat([torch.ones(6), torch.full((SIZE - 6,), 1e-19)])
    space = Subspace(source, 16)
    for _ in range(12):
        space.extend(source, lambda vector: matrix @ vector)
        source = space.remainders[-1]
    rows = space.rows.double()
    torch.testing.assert_close(rows @ rows.T, torch.eye(12, dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("eigenvalue", [0.0, 2.0])
def test_an_exact_eigenvector_leaves_no_remainder(eigenvalue: float) -> None:
    space = Subspace(torch.zeros(SIZE, dtype=torch.float64), 2)
    space.extend(torch.eye(SIZE, dtype=torch.float64)[3], lambda vector: eigenvalue * vector)
    assert space.gram.tolist() == [[0]]
    assert space.projected.tolist() == [[eigenvalue]]
