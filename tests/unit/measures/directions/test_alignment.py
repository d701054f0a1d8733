"""Projections and cosines, against NumPy."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sharpest.measures.directions.measure import absolute_cosines, projections

seeds = st.integers(0, 2**31)
# vectors with entries near one, in float64
ROUNDING = 1e-12


def drawn(seed: int, m: int = 6, d: int = 3, p: int = 11) -> tuple[np.ndarray, np.ndarray]:
    """Gradients (m, p) and unit directions (d, p)."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((d, p))
    return rng.standard_normal((m, p)), directions / np.linalg.norm(directions, axis=1, keepdims=True)


def cosines(gradients: np.ndarray, directions: np.ndarray) -> np.ndarray:
    norms = torch.from_numpy(gradients).norm(dim=1)
    return absolute_cosines(projections(torch.from_numpy(gradients), torch.from_numpy(directions)), norms).numpy()


@given(seeds)
def test_they_agree_with_numpy(seed):
    gradients, directions = drawn(seed)
    inner = np.array([[sum(g * e) for e in directions] for g in gradients])
    actual = projections(torch.from_numpy(gradients), torch.from_numpy(directions))
    np.testing.assert_allclose(actual, inner, atol=ROUNDING)
    expected = [[abs(sum(g * e)) / np.sqrt(sum(g * g)) for e in directions] for g in gradients]
    np.testing.assert_allclose(cosines(gradients, directions), expected, atol=ROUNDING)


def test_projections_of_float32_gradients_are_float64():
    assert projections(torch.ones(2, 3), torch.ones(1, 3)).dtype == torch.float64


@given(seeds, st.floats(1e-3, 1e3))
def test_signs_and_the_scale_of_gradients_do_not_matter(seed, scale):
    gradients, directions = drawn(seed)
    np.testing.assert_allclose(cosines(-scale * gradients, -directions), cosines(gradients, directions), atol=ROUNDING)


@given(seeds)
def test_a_gradient_lies_along_itself_and_across_its_complement(seed):
    gradients, _ = drawn(seed, m=1, p=4)
    basis = np.linalg.svd(gradients)[2]
    np.testing.assert_allclose(cosines(gradients, basis), [[1, 0, 0, 0]], atol=ROUNDING)
    assert (cosines(gradients, basis) <= 1).all()  # rounding does not lift it above one


def test_a_zero_gradient_has_zero_alignment():
    gradients, directions = drawn(1, m=2)
    gradients[0] = 0
    actual = cosines(gradients, directions)
    np.testing.assert_array_equal(actual[0], 0)
    assert (actual[1] > 0).all()
