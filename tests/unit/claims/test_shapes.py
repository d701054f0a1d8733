"""Statistics of curves on curves that show their answer."""

import numpy as np
import pytest

from sharpest.claims.series import Series
from sharpest.claims.shapes import (
    hump,
    largest_fall,
    peak,
    peak_epoch,
    per_cent,
    rank_correlation,
    still_rising,
    sudden_fall,
    swings,
)


def series(*curves: list[float] | np.ndarray) -> Series:
    return Series(np.arange(len(curves[0]), dtype=float), np.stack([np.asarray(c, dtype=float) for c in curves], 1))


def test_peak_is_that_of_means_of_five() -> None:
    curve = series([0, 0, 0, 50, 0, 0, 0, 0, 11, 11, 11, 11, 11, 0])
    assert peak(curve) == 11  # the spike counts a fifth
    assert peak_epoch(curve) == 10
    assert not still_rising(curve)
    assert still_rising(series(np.arange(8)))


def test_fewer_than_five_points_are_one_mean() -> None:
    assert peak(series([1, 2, 6])) == 3
    assert peak_epoch(series([1, 2, 6])) == 1


def test_per_cent_weighs_by_the_second_curve() -> None:
    assert per_cent(series([1, 0.5], [100, 0.001])) == pytest.approx(1.49998, rel=1e-4)


def test_rank_correlation() -> None:
    assert rank_correlation(series([1, 2, 30, 31, 99])) == pytest.approx(1)
    assert rank_correlation(series([5, 4, 3, 2, 1])) == pytest.approx(-1)
    assert rank_correlation(series([1, 1, 1])) == 0
    assert rank_correlation(series([1, 2, 3, 5, 4])) == pytest.approx(0.9)


def test_hump_is_the_lesser_of_rise_and_fall() -> None:
    there_and_back = [0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 6, 6, 6, 6, 6]
    assert hump(series(there_and_back)) == pytest.approx(0.25)
    assert hump(series(np.arange(15))) == 0
    assert hump(series(-np.arange(15))) == 0
    assert hump(series(np.zeros(15))) == 0
    assert hump(series(there_and_back, np.arange(15))) == 0  # the least of all curves


def test_a_sudden_fall_may_recover() -> None:
    assert sudden_fall(series([0, 4, 8, 2, 6, 10])) == pytest.approx(0.6)
    assert largest_fall(series([0, 4, 8, 2, 6, 10])) == 6
    assert sudden_fall(series([8, 2, 6, 10])) == 0  # nothing rose before
    assert hump(series(np.concatenate([[0] * 5, [8] * 5, [2], [10] * 5]))) == 0


@pytest.mark.parametrize(
    ("curve", "count"),
    [
        ([0, 10, 0, 10, 0], 4),
        ([0, 4, 10, 5, 2, 6, 9], 3),
        ([0, 5, 10], 1),
        ([0, 10, 9, 10, 9, 10], 1),  # swings of a tenth are noise
        ([5, 10, 0, 10, 0], 0),  # starts in the middle
        ([3, 3, 3], 0),
    ],
)
def test_swings(curve: list[float], count: int) -> None:
    assert swings(series(curve)) == count
