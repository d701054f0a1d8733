"""Statistics of curves, on curves with a known answer."""

import numpy as np
import pytest

from sharpest.claims.shapes import (
    SWING,
    Series,
    correlation_of_swings,
    hump,
    largest_fall,
    lasting_fall,
    long_rise,
    peak,
    peak_epoch,
    per_cent,
    points_around,
    rank_correlation,
    settling,
    share_of_second,
    steady_hump,
    still_rising,
    sudden_fall,
    swings,
)


def series(*curves: list[float] | np.ndarray) -> Series:
    return Series(np.arange(len(curves[0]), dtype=float), np.stack([np.asarray(c, dtype=float) for c in curves], 1))


def test_peak_is_that_of_means_of_five() -> None:
    curve = series([0, 0, 0, 50, 0, 0, 0, 0, 11, 11, 11, 11, 11, 0])
    assert peak(curve) == 11  # the spike counts as a fifth
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
    assert hump(series(there_and_back, np.arange(15))) == 0  # the smallest of all curves


def test_a_sudden_fall_may_recover() -> None:
    assert sudden_fall(series([0, 4, 8, 2, 6, 10])) == pytest.approx(0.6)
    assert largest_fall(series([0, 4, 8, 2, 6, 10])) == 6
    assert sudden_fall(series([8, 2, 6, 10])) == 0  # nothing rose before
    assert hump(series(np.concatenate([[0] * 5, [8] * 5, [2], [10] * 5]))) == 0


def repeated(curve: list[float]) -> np.ndarray:
    """Each value for five points, whose mean is that value."""
    return np.repeat(curve, 5)


@pytest.mark.parametrize(
    ("curve", "count"),
    [
        (repeated([0, 10, 0, 10, 0]), 4),
        (repeated([0, 4, 10, 5, 2, 6, 9]), 3),
        (repeated([0, 5, 10]), 1),
        (repeated([0, 10, 9, 10, 9, 10]), 1),  # swings of a tenth are noise
        (repeated([5, 10, 0, 10, 0]), 0),  # starts in the middle
        (repeated([3, 3, 3]), 0),
        (np.where(np.isin(np.arange(40), [14, 21, 28]), 0, repeated([0] + 7 * [10])), 1),  # swings of single points
    ],
)
def test_swings(curve: np.ndarray, count: int) -> None:
    assert swings(series(curve)) == count


@pytest.mark.parametrize(("error", "count"), [(0.0, 4), (3.5, 4), (3.6, 1)])
def test_swings_exceed_two_standard_errors_of_a_difference(error: float, count: int) -> None:
    curve = repeated([0, 10, 0, 10, 0])
    assert swings(series(curve, np.full(len(curve), error))) == count  # 10 / (2 sqrt 2) is 3.54


@pytest.mark.parametrize(("error", "fall"), [(0.0, 0.5), (1.0, 0.5 - 0.2 * np.sqrt(2)), (2.0, 0.0)])
def test_a_lasting_fall_counts_above_the_error(error: float, fall: float) -> None:
    curve = repeated([0, 10, 10, 5, 10])
    assert lasting_fall(series(curve, np.full(25, error))) == pytest.approx(fall)


def test_one_low_point_is_no_lasting_fall() -> None:
    curve = repeated([0, 10, 10, 10, 10]).astype(float)
    curve[17] = 0
    assert lasting_fall(series(curve)) == pytest.approx(0.2)  # a fifth
    assert sudden_fall(series(curve)) == 1
    assert lasting_fall(series(repeated([10, 10, 0, 10]))) == 0  # nothing rose before


UP, DOWN = np.linspace(0, 8, 20), np.linspace(8, 0, 40)


def test_a_steady_hump_falls_after_its_peak() -> None:
    assert steady_hump(series(np.r_[UP, DOWN])) > 0.4
    plunge = np.r_[UP, np.full(5, 8.0), np.tile([2.0, 2.1], 20)]  # falls at once, then rises and falls
    assert hump(series(plunge)) > 0.25
    assert steady_hump(series(plunge)) < 0
    assert steady_hump(series(UP)) == pytest.approx(-0.5)
    assert steady_hump(series(np.r_[UP, DOWN], np.r_[UP, UP, UP])) < 0  # each curve must
    assert hump(series(np.r_[DOWN[::-1], [8.0, 0, 0, 0, 0]])) > 0.25
    assert steady_hump(series(np.r_[DOWN[::-1], [8.0, 0, 0, 0, 0]])) >= -0.5


def test_the_maximum_itself_is_the_first_point_of_the_fall() -> None:
    """With it, the fall has five points, the fewest that count, and only the height of the hump is too small."""
    curve = series(np.array([0, 2, 4, 6, 8, 10, 8, 6, 4, 2]))
    assert steady_hump(curve) == hump(curve) - SWING


def test_a_steady_hump_on_the_edge() -> None:
    """A fall by a quarter of the range: from 8 to 6."""
    curve = np.r_[np.zeros(5), np.full(5, 8.0), np.linspace(8, 6, 20), np.full(5, 6.0)]
    assert steady_hump(series(curve)) == pytest.approx(0)


def test_a_curve_settles_where_it_stops_growing() -> None:
    time = np.linspace(0, 1, 60)
    assert settling(series(1 - np.exp(-8 * time))) == pytest.approx(0.25, abs=0.05)
    assert settling(series(np.sin(np.pi * time))) == pytest.approx(0.25)
    assert settling(series(time)) == pytest.approx(-0.25, abs=0.03)
    assert settling(series(1 - time)) == pytest.approx(-0.25)
    assert settling(series(np.ones(60))) == pytest.approx(-0.25)
    edge = np.r_[np.zeros(5), np.full(40, 6.0), np.full(35, 8.0)]
    assert settling(series(edge)) == pytest.approx(0)


def test_settling_counts_time_not_points() -> None:
    """Most points lie in the first half of the time; only after it does the curve stay."""
    epoch = np.r_[np.linspace(0, 1, 40), np.linspace(1.5, 4, 10)]
    assert settling(Series(epoch, np.minimum(epoch, 2)[:, None])) > 0
    assert settling(Series(epoch, epoch[:, None])) < 0


def test_growth_lasts_a_twentieth_of_the_run() -> None:
    assert long_rise(series(np.r_[np.arange(20.0), np.full(81, 1.0)])) > 0
    assert long_rise(series(-np.arange(101.0))) < 0
    early = np.r_[np.arange(5.0), np.linspace(1, 0, 96)]
    assert long_rise(series(early)) == pytest.approx(3 / 100 - 0.05)  # the highest mean is that around point 3
    jump = np.r_[np.zeros(40), np.full(5, 9.0), np.zeros(56)]  # no growth until then, only at the end
    assert long_rise(series(jump)) < 0
    on_the_edge = np.r_[np.arange(5.0), np.linspace(3, 0, 96)]
    assert long_rise(series(on_the_edge)) == pytest.approx(0)  # around point 5


def test_swings_are_correlated_without_their_trend() -> None:
    t, rng = np.arange(175), np.random.default_rng(0)
    wave = np.sin(t / 3)
    assert correlation_of_swings(series(t + wave, 5 * t - wave)) < -0.95
    assert correlation_of_swings(series(t + wave, -t + wave)) > 0.95
    noise = [correlation_of_swings(series(*(t + rng.standard_normal((2, 175))))) for _ in range(20)]
    assert abs(np.mean(noise)) < 0.06  # 1 / sqrt(140 * 20) is 0.02
    assert correlation_of_swings(series(np.ones(20), np.arange(20))) == 0
    assert [points_around(count) for count in (20, 41, 60, 175)] == [11, 11, 13, 35]


def test_a_share_of_zero_is_one() -> None:
    assert share_of_second(series([1, 2], [4, 8])) == 0.25
    assert share_of_second(series([1, 2], [4, -8])) == 1
