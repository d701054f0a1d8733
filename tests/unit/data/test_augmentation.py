"""Flips and shifts, compared with shifts computed by hand."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sharpest.data.images import augment

HEIGHT, WIDTH = 6, 8
SHIFT = 0.5
# pixel values near one, resampled in float32
ROUNDING = 1e-5


def images(seed: int, n: int = 3) -> Tensor:
    return torch.rand(n, 2, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))


def draws(flip: bool, down: float, right: float, n: int = 3) -> Tensor:
    """The random numbers that move n images by the given pixels, and flip them or not."""
    moves = [-down / HEIGHT, -right / WIDTH]  # an image moves opposite to its sampling grid
    return torch.tensor([[0.25 if flip else 0.75, *(move / SHIFT / 2 + 0.5 for move in moves)]]).repeat(n, 1)


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """Shifted by whole pixels, with repeated edges."""
    rows = np.clip(np.arange(HEIGHT) - down, 0, HEIGHT - 1)
    columns = np.clip(np.arange(WIDTH) - right, 0, WIDTH - 1)
    return image[..., rows[:, None], columns]


@given(st.integers(0, 2**31), st.integers(-3, 3), st.integers(-4, 4), st.booleans())
def test_whole_pixels_move_with_the_edge_repeated(seed, down, right, flip):
    before = images(seed)
    after = augment(before, draws(flip, down, right), True, SHIFT)
    expected = moved(before.numpy(), down, right)
    expected = expected[..., ::-1] if flip else expected  # moved first, then flipped
    np.testing.assert_allclose(after, expected, atol=ROUNDING)


@given(st.integers(0, 2**31), st.floats(-2.9, 2.9), st.floats(-3.9, 3.9))
def test_fractional_shifts_blend_neighbouring_pixels(seed, down, right):
    before = images(seed).double()
    after = augment(before, draws(False, down, right).double(), True, SHIFT)
    y, x = int(np.floor(down)), int(np.floor(right))
    v, u = down - y, right - x
    array = before.numpy()
    rows = (1 - v) * moved(array, y, x) + v * moved(array, y + 1, x)
    next_rows = (1 - v) * moved(array, y, x + 1) + v * moved(array, y + 1, x + 1)
    np.testing.assert_allclose(after, (1 - u) * rows + u * next_rows, atol=ROUNDING)


def test_a_draw_below_one_half_flips():
    before = images(1, 4)
    middle = torch.full((4,), 0.5)
    flips = torch.tensor([0.0, 0.4999, 0.5, 0.999])
    after = augment(before, torch.stack([flips, middle, middle], dim=1), True, 0.0)
    torch.testing.assert_close(after[:2], before[:2].flip(-1), atol=ROUNDING, rtol=0)
    torch.testing.assert_close(after[2:], before[2:], atol=ROUNDING, rtol=0)
    without = augment(before, torch.stack([flips, middle, middle], dim=1), False, 0.0)
    torch.testing.assert_close(without, before, atol=ROUNDING, rtol=0)


def test_the_largest_shift_is_a_fraction_of_each_side():
    """An eighth of a 16 x 32 image is two rows and four columns."""
    before = torch.rand(1, 1, 16, 32, generator=torch.Generator().manual_seed(4))
    after = augment(before, torch.tensor([[0.9, 0.0, 0.0]]), True, 1 / 8)
    torch.testing.assert_close(after[0, 0, 2:, 4:], before[0, 0, :-2, :-4], atol=ROUNDING, rtol=0)
