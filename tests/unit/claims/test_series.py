"""Curves with other noise."""

import numpy as np
import pytest

from sharpest.claims.series import NUM_REPLICATES, Number, Series


def series(*curves: list[float] | np.ndarray) -> Series:
    return Series(np.arange(len(curves[0]), dtype=float), np.stack([np.asarray(c, dtype=float) for c in curves], 1))


def test_replicates_keep_the_middle_and_the_size_of_the_noise() -> None:
    rng = np.random.default_rng(1)
    loud = np.where(np.arange(100) < 50, 10.0, 0.1)
    curve = series(np.linspace(0, 5, 100) + loud * rng.standard_normal(100))
    values = np.array([replicate.values[:, 0] for replicate in curve.replicates("a")])
    assert values.shape == (NUM_REPLICATES, 100)
    assert np.abs(values.std(axis=0)[:45]).mean() > 20 * values.std(axis=0)[55:].mean()
    assert len(np.unique(np.round(values[:, 30], 9))) == 2  # the middle plus or minus the noise


def test_the_spread_of_a_mean_is_about_its_standard_error() -> None:
    """Within a fifth: 200 replicates know it to a twentieth, and 200 points their own noise likewise."""
    curve = series(np.random.default_rng(2).standard_normal(200) + np.linspace(0, 20, 200))
    spread = np.std([replicate.values.mean() for replicate in curve.replicates("a")])
    assert spread == pytest.approx(1 / np.sqrt(200), rel=0.2)


@pytest.mark.parametrize("count", [2, 3, 5, 6, 8])
def test_short_curves_have_that_spread_on_average(count: int) -> None:
    spreads = []
    for seed in range(300):
        curve = series(np.random.default_rng(seed).standard_normal(count))
        spreads.append(np.var([replicate.values.mean() for replicate in curve.replicates(str(seed))]))
    assert np.sqrt(np.mean(spreads)) == pytest.approx(1 / np.sqrt(count), rel=0.15)


def test_noise_is_as_large_at_the_ends_as_between() -> None:
    squares = []
    for seed in range(400):
        curve = series(np.random.default_rng(seed).standard_normal(8))
        squares.append(np.var([replicate.values[:, 0] for replicate in curve.replicates("a")], axis=0))
    assert np.mean(squares, axis=0) == pytest.approx(np.ones(8), rel=0.2)


def test_replicates_depend_on_the_name_alone() -> None:
    curve = series(np.random.default_rng(3).standard_normal(20))
    first, again, other = ([r.values.tolist() for r in curve.replicates(name)] for name in ("a", "a", "b"))
    assert first == again != other


def test_a_straight_line_has_no_noise_and_a_single_point_none_that_is_known() -> None:
    line = series(np.arange(20))
    assert all(np.allclose(replicate.values, line.values) for replicate in line.replicates("a"))
    assert len(list(series([3]).replicates("a"))) == 1
    assert len(Number(3).replicates("a")) == 1
    assert np.std(Number(3, 0.5).replicates("a")) == pytest.approx(0.5, rel=0.2)
