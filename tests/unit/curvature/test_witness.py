"""Whether the flags of the eigensolver can be trusted: spectra that hide eigenvalues, and the argument itself."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from problems import rng
from torch import Tensor

from sharpest.curvature.lanczos import Which, _Search, largest_eigenpairs

pytestmark = pytest.mark.core

SMALL = np.random.default_rng(0).uniform(-0.1, 0.1, 480)
HIDING: dict[str, tuple[list[float], int]] = {
    "one eigenvalue five times": ([1.0] * 5 + np.linspace(0.9, 0.1, 60).tolist(), 5),
    "repeated in the middle": ([1, 0.7, 0.7, 0.7, 0.5, 0.5, 0.4], 6),
    "tenfold, as of a linear layer with ten outputs": ([1.0] * 10 + [0.3] * 10, 12),
    "a cluster": ([1, 0.8, 0.6, 0.5, 0.4, *np.linspace(0.3552, 0.3550, 8)], 10),
    "both ends": ([5, -4.99, 4, -3.9], 4),
    "inverse squares": ((1 / np.arange(1, 500) ** 2.0).tolist(), 10),
}


def diagonal(spectrum: list[float]) -> tuple[Callable[[Tensor], Tensor], np.ndarray]:
    """An operator with a spectrum and a bulk; the basis in which it is diagonal makes no difference to a solver."""
    values = np.concatenate([spectrum, SMALL * abs(spectrum[0])]) if len(spectrum) < 100 else np.array(spectrum)
    tensor = torch.from_numpy(values)
    return lambda vector: tensor * vector, values


@pytest.mark.parametrize("name", HIDING)
def test_no_set_that_is_flagged_as_complete_misses_an_eigenvalue(name: str) -> None:
    spectrum, k = HIDING[name]
    product, values = diagonal(spectrum)
    expected = np.sort(np.abs(values))[::-1][:k]
    for seed in range(10):
        pairs = largest_eigenpairs(product, torch.zeros(len(values)).double(), k, 1e-3, 640, rng(seed))
        assert pairs.complete
        assert pairs.converged.all()
        found = np.sort(np.abs(pairs.eigenvalues))[::-1]
        assert np.abs(found - expected).max() <= 1e-3 * expected[0]


@pytest.mark.parametrize("capacity", [100, 12])
def test_what_a_start_shows_equals_its_product_with_an_eigenvector(capacity: int) -> None:
    """Also after compressions, where the start is no longer in the basis."""
    values = torch.tensor([9.0, 8, 6, 5.5, *np.linspace(-3, 3, 200)], dtype=torch.float64)
    search = _Search(lambda vector: values * vector, values, 2, 1e-3, rng(1))
    search._capacity = capacity
    search.space._block = search.space._block.new_empty(capacity, len(values))
    search.begin()
    start = search.space.rows[0] * search.witness._inside[0, 0]
    for _ in range(30):
        search._refine(search.ritz.outside[:, search.ritz.order[0]])
    points = search.witness._points
    assert (points is not None) == (capacity == 12)
    for number in range(2):
        row = 0 if points is None else int(np.abs(points - float(values[number])).argmin())
        inside = float(search.space.rows[:, number] @ torch.from_numpy(search.witness._inside[row].copy()))
        rests = torch.stack([rest.vector for rest in search.space.remainders])
        beyond = float(rests[:, number] @ torch.from_numpy(search.witness._beyond[row]))
        # the points are up to half a hundredth away from the eigenvalue
        assert inside + beyond == pytest.approx(float(start[number]), rel=1e-9 if points is None else 1e-3)


def test_a_search_that_ran_out_of_products_claims_nothing() -> None:
    """All residuals are small after 11 products, but nothing shows that the set is complete."""
    product, values = diagonal([1, 0.7, 0.7, 0.5])
    pairs = largest_eigenpairs(product, torch.zeros(len(values)).double(), 3, 1e-3, 11, rng(0))
    assert not pairs.complete
    assert not pairs.converged.any()


def test_one_pair_needs_no_second_start() -> None:
    product, values = diagonal([1.0, 1.0, 0.5])
    pairs = largest_eigenpairs(product, torch.zeros(len(values)).double(), 1, 1e-3, 640, rng(0))
    assert pairs.complete
    assert pairs.num_products <= 12


ENDS: dict[Which, Callable[[np.ndarray], np.ndarray]] = {
    "magnitude": np.abs, "largest": lambda values: values, "smallest": lambda values: -values,
}  # fmt: skip
BOTH_ENDS = {
    "a small positive end": [0.5, 0.2, -4.0, *SMALL[:100]],
    "a repeated positive end": [1.0, 1.0, -3.0, *(2 * SMALL)],
    "all negative": np.linspace(-5, -1, 100).tolist(),
}


@pytest.mark.parametrize("which", ENDS)
@pytest.mark.parametrize("name", BOTH_ENDS)
def test_each_end_is_found_whole(name: str, which: Which) -> None:
    values = torch.tensor(BOTH_ENDS[name], dtype=torch.float64)
    expected = np.sort(ENDS[which](values.numpy()))[::-1][:2]
    for seed in range(10):
        pairs = largest_eigenpairs(lambda vector: values * vector, values, 2, 1e-3, 640, rng(seed), which=which)
        assert pairs.converged.all()
        found = np.sort(ENDS[which](pairs.eigenvalues))[::-1]
        assert np.abs(found - expected).max() <= 1e-3 * float(values.abs().max())
