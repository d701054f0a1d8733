"""The update formulas, compared with NumPy in float64."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sharpest.trajectory.steps import nudge, sgd_change

P, K = 9, 3
seeds = st.integers(0, 2**31)
gammas = st.floats(0, 10)
# vectors with entries near one, in float64
ROUNDING = 1e-12


def drawn(seed: int) -> tuple[Tensor, Tensor]:
    """A change (p,) and K orthonormal directions (K, p)."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((P, K)))[0].T.copy()
    return torch.from_numpy(rng.standard_normal(P)), torch.from_numpy(basis)


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, atol=ROUNDING, rtol=ROUNDING)


@given(seeds, gammas)
def test_only_the_part_along_the_directions_is_scaled(seed, gamma):
    change, directions = drawn(seed)
    nudged = nudge(change, directions, gamma)
    close(directions @ nudged, gamma * (directions @ change))
    rest = np.linalg.svd(directions.numpy())[2][K:]  # the part orthogonal to them
    close(torch.from_numpy(rest) @ nudged, torch.from_numpy(rest) @ change)


@given(seeds)
def test_gamma_0_projects_and_projecting_twice_is_projecting_once(seed):
    change, directions = drawn(seed)
    once = nudge(change, directions, 0.0)
    close(nudge(once, directions, 0.0), once)


@given(seeds, gammas, gammas)
def test_two_nudges_are_one_with_the_product(seed, gamma, other):
    change, directions = drawn(seed)
    close(nudge(nudge(change, directions, gamma), directions, other), nudge(change, directions, gamma * other))


@given(seeds, gammas)
def test_signs_and_order_of_the_directions_do_not_matter(seed, gamma):
    change, directions = drawn(seed)
    close(nudge(change, -directions.flip(0), gamma), nudge(change, directions, gamma))


@given(seeds, st.sampled_from([torch.float32, torch.float64]))
def test_gamma_1_leaves_every_bit(seed, dtype):
    change, directions = (tensor.to(dtype) for tensor in drawn(seed))
    assert torch.equal(nudge(change, directions, 1.0), change)


@given(seeds, st.floats(0, 0.99), st.floats(1e-4, 10))
def test_momentum_is_that_of_keras(seed, momentum, lr):
    """v <- m v - eta g: the velocity includes the learning rate, so a later cut does not change the old velocity."""
    rng = np.random.default_rng(seed)
    gradient, velocity = rng.standard_normal((2, P))
    before = velocity.copy()
    change = sgd_change(torch.from_numpy(gradient), torch.from_numpy(velocity), lr, momentum)
    np.testing.assert_allclose(change, momentum * velocity - lr * gradient, atol=ROUNDING, rtol=ROUNDING)
    np.testing.assert_array_equal(velocity, before)


@given(seeds, st.floats(1e-4, 10))
def test_without_momentum_the_change_is_against_the_gradient(seed, lr):
    gradient = drawn(seed)[0]
    assert torch.equal(sgd_change(gradient, None, lr, 0.9), -lr * gradient)
