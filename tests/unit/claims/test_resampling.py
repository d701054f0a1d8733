"""Curves with resampled noise, and by chance."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sharpest.claims.resampling import (
    NUM_REPLICATES,
    NUM_SURROGATES,
    autocorrelation_time,
    block_length,
    generator,
    resampled,
    surrogates,
)
from sharpest.claims.shapes import Series, correlation_of_swings, mean, peak, per_cent, rank_correlation


def series(*curves: list[float] | NDArray[np.float64]) -> Series:
    return Series(np.arange(len(curves[0]), dtype=float), np.stack([np.asarray(c, dtype=float) for c in curves], 1))


def noise(correlation: float, count: int, seed: int) -> NDArray[np.float64]:
    """AR(1) noise, with innovations of variance 1."""
    values = np.random.default_rng(seed).standard_normal(count + 200)
    for place in range(1, len(values)):
        values[place] += correlation * values[place - 1]
    return values[200:]


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_the_error_of_a_mean_is_the_known_one(correlation: float) -> None:
    """For AR(1) noise it is 1 / ((1 - r) sqrt(t)) for many points; 60 curves give it to a twentieth."""
    count = 1_500
    variances = [
        np.var(resampled(series(noise(correlation, count, seed)), mean, str(seed)).replicates, ddof=1)
        for seed in range(60)
    ]
    assert math.sqrt(np.mean(variances)) == pytest.approx(1 / ((1 - correlation) * math.sqrt(count)), rel=0.08)


def test_the_error_counts_the_correlation_between_blocks() -> None:
    """The last curve sets only the block length and the correction; both have blocks of five points."""
    curve, constant = noise(-0.5, 1_500, 0), np.full(1_500, 100.0)
    spreads, expected = [], []
    for correlation in (0.0, 0.1):
        slow = noise(correlation, 1_500, 1)
        result = resampled(series(curve, constant, slow), per_cent, "run")
        assert result.blocks == 1_500 / 5
        time = autocorrelation_time(slow[:, None])
        found = ((time - 1) / (time + 1)) ** np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
        spreads.append(np.ptp(result.replicates))
        expected.append(math.sqrt(time / found.mean() / 5))  # variances: of a long mean, of the mean of a block
    assert spreads[1] / spreads[0] == pytest.approx(expected[1] / expected[0], rel=1e-3)


def test_the_error_of_a_quotient_is_that_of_its_sums() -> None:
    """In per cent of a constant: the error of the mean times 100 over the constant."""
    curve = noise(0.0, 400, 3)
    alone, over = (
        resampled(made, statistic, "run").replicates
        for made, statistic in ((series(curve), mean), (series(curve, np.full(400, 4.0)), per_cent))
    )
    assert over == pytest.approx(25 * alone)


def test_blocks_are_of_four_autocorrelation_times() -> None:
    curve = noise(0.5, 1_500, 0)
    time = autocorrelation_time(curve[:, None])
    assert time == pytest.approx(3, rel=0.2)  # (1 + r) / (1 - r)
    assert resampled(series(curve), mean, "a").blocks == 1_500 / math.ceil(4 * time)
    assert autocorrelation_time(noise(-0.5, 200, 0)[:, None]) == 1
    assert autocorrelation_time(np.stack([curve, noise(0.0, 1_500, 1)], axis=1)) == pytest.approx(time)


def test_a_constant_curve_beside_another_has_no_correlation() -> None:
    assert autocorrelation_time(np.stack([np.full(200, 7.0), noise(-0.5, 200, 0)], axis=1)) == 1


@pytest.mark.parametrize(
    "curve", [np.arange(60.0), noise(0.95, 60, 0), noise(0.0, 19, 0), np.full(60, 7.0), np.arange(3.0), np.ones(1)],
    ids=["a line", "slow noise", "few points", "constant", "three points", "one point"],
)  # fmt: skip
def test_with_too_few_blocks_the_error_is_unknown(curve: NDArray[np.float64]) -> None:
    result = resampled(series(curve), mean, "a")
    assert len(result.replicates) == 0
    assert math.isnan(result.blocks)


def test_the_bias_of_the_correlation_is_corrected() -> None:
    """With 20 points of AR(0.5), the measured correlation is too small; (n r + 1) / (n - 3) corrects most of it."""
    freed = []
    for seed in range(400):
        time = autocorrelation_time(noise(0.5, 20, seed)[:, None])
        freed.append((time - 1) / (time + 1))
    assert np.median(freed) == pytest.approx(0.5, abs=0.05)


def test_other_numbers_are_from_the_centre_plus_sign_flipped_noise() -> None:
    """The noise keeps its position: loud in the first half, quiet in the second."""
    loud = np.where(np.arange(100) < 50, 10.0, 0.1)
    curve = series(np.linspace(0, 5, 100) + loud * noise(0.0, 100, 1))
    values = resampled_points(curve)
    assert values.shape == (NUM_REPLICATES, 100)
    assert np.abs(values.std(axis=0)[:45]).mean() > 20 * values.std(axis=0)[55:].mean()
    assert len(np.unique(np.round(values[:, 30], 9))) == 2  # the centre plus or minus the noise


def resampled_points(curve: Series, name: str = "a") -> NDArray[np.float64]:
    """(b, t), the resampled curves from which a number other than a mean is computed."""
    found: list[NDArray[np.float64]] = []

    def seen(other: Series) -> float:
        found.append(other.values[:, 0])
        return 0.0

    resampled(curve, seen, name)
    return np.array(found[1:])  # the first is the curve itself


def test_that_noise_is_as_large_at_the_ends_as_in_the_middle() -> None:
    squares = [
        np.var(resampled_points(series(np.random.default_rng(seed).standard_normal(8))), axis=0) for seed in range(400)
    ]
    assert np.mean(squares, axis=0) == pytest.approx(np.ones(8), rel=0.2)


def test_its_signs_change_by_blocks_where_noise_is_slow() -> None:
    curve = series(noise(0.95, 200, 0))
    noisy = resampled_points(curve)
    centred = noisy - noisy.mean(axis=0)
    alike = np.mean([np.corrcoef(centred[:, place : place + 2].T)[0, 1] ** 2 for place in range(50, 150)])
    white = resampled_points(series(noise(0.0, 200, 0)))
    centred = white - white.mean(axis=0)
    assert alike > 2 * np.mean([np.corrcoef(centred[:, p : p + 2].T)[0, 1] ** 2 for p in range(50, 150)])


def test_a_single_point_of_one_run_decides_nothing() -> None:
    result = resampled(series(noise(0.0, 60, 0)), peak, "a")
    assert (len(result.replicates), math.isnan(result.blocks)) == (NUM_REPLICATES, True)
    assert len(resampled(series([3.0]), peak, "a").replicates) == 0  # the noise of a single point is unknown
    line = resampled(series(np.arange(20.0)), rank_correlation, "a")
    assert line.replicates == pytest.approx(np.ones(NUM_REPLICATES))


@pytest.mark.parametrize("statistic", [mean, peak])
def test_the_same_name_gives_the_same_draws(statistic: object) -> None:
    curve = series(noise(0.0, 60, 3))
    first, again, other = (resampled(curve, statistic, name).replicates.tolist() for name in ("a", "a", "b"))  # type: ignore[arg-type]
    assert first == again != other
    assert generator("a").random() == generator("a").random() != generator("b").random()
    # so that curves of one run are compared point by point
    twice = Series(curve.epoch, 2 * curve.values + 1)
    assert resampled(twice, statistic, "a").replicates == pytest.approx(2 * np.array(first) + 1)  # type: ignore[arg-type]


def test_shuffled_blocks_keep_points_together() -> None:
    first, second = noise(0.8, 60, 0), noise(0.0, 60, 1)
    curve = series(first, second)
    made = list(surrogates(curve, "blocks", "run"))
    assert len(made) == NUM_SURROGATES
    pairs, length = {*zip(first, second, strict=True)}, block_length(curve.values)
    breaks = []
    for each in made:
        assert {*zip(*each.values.T, strict=True)} == pairs  # in all curves alike, each point once
        place = [first.tolist().index(value) for value in each.values[:, 0]]
        breaks.append((np.diff(place) != 1).sum())
    assert 0 < max(breaks) <= 60 // length - 1
    assert any(not np.array_equal(each.values, curve.values) for each in made)


def test_shifts_move_only_the_first_curve_circularly() -> None:
    first, second = noise(0.8, 60, 0), noise(0.0, 60, 1)
    made, shifts = list(surrogates(series(first, second), "shifts", "run")), set()
    assert len(made) == NUM_SURROGATES
    for each in made:
        assert np.array_equal(each.values[:, 1], second)
        (shift,) = (s for s in range(60) if np.array_equal(np.roll(first, s), each.values[:, 0]))
        shifts.add(shift)
    least = block_length(np.stack([first, second], axis=1))
    assert 0 in shifts
    assert shifts <= {0, *range(least, 60 - least + 1)}
    assert len(shifts) > 20


def test_surrogates_depend_only_on_the_name() -> None:
    curve = series(noise(0.0, 60, 0), noise(0.0, 60, 1))
    for kind in ("blocks", "shifts"):
        first, again, other = (
            [each.values.tolist() for each in surrogates(curve, kind, name)] for name in ("a", "a", "b")
        )
        assert first == again != other


def test_shifts_tell_curves_that_move_together_from_others() -> None:
    wave = np.sin(np.arange(60.0)) + noise(0.0, 60, 2)
    along = series(wave, wave + 0.1 * noise(0.0, 60, 3))
    observed = correlation_of_swings(along)
    chance = np.array([correlation_of_swings(each) for each in surrogates(along, "shifts", "run")])
    assert (chance < observed - 0.2).mean() > 0.9


@pytest.mark.parametrize(
    ("curve", "low", "high"),
    [
        (np.ones(60), 1, 1),
        (noise(0.0, 200, 0), 1, 5),
        (noise(0.9, 200, 0), 8, 67),
        (noise(0.99, 40, 0), 1, 14),
        (np.arange(9.0), 3, 3),
        (noise(0.0, 4, 0), 2, 2),
        (np.ones(1), 1, 1),
    ],
)
def test_a_block_is_at_most_a_third_of_the_points(curve: NDArray[np.float64], low: int, high: int) -> None:
    assert low <= block_length(curve[:, None]) <= high
