"""Numbers against bounds at 95 %, compared with independent results of scipy and statsmodels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import DescrStatsW, ttost_paired

from sharpest.claims.ledger import NEGATIVE, POSITIVE
from sharpest.claims.verdicts import (
    Bounds,
    Numbers,
    Sample,
    Verdict,
    difference,
    ratio,
    verdict_of,
)

FIVE, OTHER = (2.1, 1.4, 3.3, 0.2, 2.6), (1.0, 1.2, 1.9, 0.9, 1.1)


def seeds(*values: float) -> list[Sample]:
    """Samples without their own error."""
    return [Sample(value, np.empty(0)) for value in values]


def known(value: float, error: float, blocks: float = math.inf) -> Sample:
    return Sample(value, value + error * np.array([-1, 1]) / math.sqrt(2), blocks)


def outcome(samples: Sequence[Sample], bounds: Bounds, alone: bool = True) -> Numbers:
    return Numbers.of(samples, bounds, alone)


def verdict(samples: Sequence[Sample], bounds: Bounds, alone: bool = True) -> Verdict:
    result = outcome(samples, bounds, alone)
    return verdict_of(float(result.p_holds), float(result.p_fails))


@pytest.mark.parametrize("values", [FIVE, FIVE[:3], FIVE[:2], (-1.0, -2.0, -2.5)])
@pytest.mark.parametrize(("bounds", "bound", "side"), [(POSITIVE, 0, "greater"), (NEGATIVE, 0, "less"),
                                                       ((1.5, math.inf), 1.5, "greater")])  # fmt: skip
def test_a_mean_over_seeds_is_tested_with_t(values: tuple[float, ...], bounds: Bounds, bound: float, side: str) -> None:
    result, other = outcome(seeds(*values), bounds), {"greater": "less", "less": "greater"}[side]
    assert result.p_holds == pytest.approx(min(2 * stats.ttest_1samp(values, bound, alternative=side).pvalue, 1))
    assert result.p_fails == pytest.approx(min(2 * stats.ttest_1samp(values, bound, alternative=other).pvalue, 1))
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert result.interval == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert (result.value, result.error) == (pytest.approx(np.mean(values)), pytest.approx(stats.sem(values)))


@pytest.mark.parametrize("bounds", [(0.0, 3.0), (1.0, 2.0), (-5.0, 9.0), (3.0, 4.0)])
def test_a_range_is_two_one_sided_tests(bounds: Bounds) -> None:
    equivalent = DescrStatsW(np.array(FIVE)).ttost_mean(*bounds)[0]
    assert outcome(seeds(*FIVE), bounds).p_holds == pytest.approx(min(2 * equivalent, 1))
    pairs = [difference(*pair) for pair in zip(seeds(*FIVE), seeds(*OTHER), strict=True)]
    equivalent = ttost_paired(np.array(FIVE), np.array(OTHER), *bounds)[0]
    assert outcome(pairs, bounds).p_holds == pytest.approx(min(2 * equivalent, 1))


def test_a_range_fails_on_either_side() -> None:
    for bounds, bound, side in (((3.0, 4.0), 3, "less"), ((-4.0, 0.0), 0, "greater")):
        p = stats.ttest_1samp(FIVE, bound, alternative=side).pvalue
        assert outcome(seeds(*FIVE), bounds).p_fails == pytest.approx(2 * p)


def test_seeds_are_compared_one_by_one() -> None:
    """Each seed shows a difference of about one, although the seeds differ widely."""
    first, second = (101.1, 201.0, 300.8, 401.2), (100.0, 200.0, 300.0, 400.0)
    pairs = [difference(*pair) for pair in zip(seeds(*first), seeds(*second), strict=True)]
    assert outcome(pairs, POSITIVE).p_holds == pytest.approx(stats.ttest_rel(first, second).pvalue)
    assert verdict(pairs, POSITIVE, alone=False) == "holds"
    assert stats.ttest_ind(first, second).pvalue > 0.9
    assert [ratio(*pair).value for pair in zip(seeds(20, 90), seeds(10, 30), strict=True)] == [2, 3]


def test_the_error_is_the_larger_of_that_between_seeds_and_that_within_runs() -> None:
    between = stats.sem([1.0, 2.0, 3.0])
    assert outcome([known(value, 0.1) for value in (1, 2, 3)], POSITIVE).error == pytest.approx(between)
    within = outcome([known(value, 4.0) for value in (1, 2, 3)], POSITIVE)
    assert within.error == pytest.approx(4 / math.sqrt(3))
    assert within.p_holds == pytest.approx(2 * stats.t.sf(2 / (4 / math.sqrt(3)), 2))


def test_degrees_of_freedom_of_one_run_are_its_blocks_minus_one() -> None:
    result = outcome([known(3.0, 1.0, blocks=8)], POSITIVE)
    assert result.p_holds == pytest.approx(2 * stats.t.sf(3, 7))
    assert np.ptp(result.interval) == pytest.approx(2 * stats.t.ppf(0.975, 7))
    assert outcome([known(3.0, 1.0)], POSITIVE).p_holds == pytest.approx(2 * stats.norm.sf(3))


@pytest.mark.parametrize("sample", [Sample(5.0, np.empty(0), math.inf), Sample(5.0, np.array([4.9, 5.1]), math.nan)])
def test_one_run_with_unknown_error_decides_nothing(sample: Sample) -> None:
    for bounds in (POSITIVE, NEGATIVE, (4.0, 6.0), (-math.inf, 9.0)):
        result = outcome([sample], bounds)
        assert (result.p_holds, result.p_fails) == (1, 1)
        assert math.isnan(result.error)
        assert result.interval == (-math.inf, math.inf)


def test_one_seed_never_decides_between_runs() -> None:
    assert verdict([known(5.0, 0.01)], POSITIVE) == "holds"
    assert verdict([known(5.0, 0.01)], POSITIVE, alone=False) == "inconclusive"
    assert verdict([known(-5.0, 0.01)], POSITIVE, alone=False) == "inconclusive"
    assert verdict(seeds(5.0, 5.1, 4.9), POSITIVE, alone=False) == "holds"


@pytest.mark.parametrize("count", [1, 2, 5, 6, 9])
def test_equal_numbers_are_a_sign_test(count: int) -> None:
    """Binomial, as heads in a number of throws; two-sided, six are enough."""
    samples = [known(2.0, 0.0) for _ in range(count)]
    p = 2 * stats.binomtest(count, count, alternative="greater").pvalue
    assert outcome(samples, POSITIVE).p_holds == pytest.approx(p)
    assert outcome(samples, NEGATIVE).p_fails == pytest.approx(p)
    assert outcome(samples, (2.0, 3.0)).p_holds == pytest.approx(p)  # a value at the bound is allowed
    assert verdict(samples, (0.0, 3.0)) == ("holds" if count >= 6 else "inconclusive")


def test_zero_has_no_sign() -> None:
    for bounds in (POSITIVE, NEGATIVE):
        result = outcome(seeds(*[0.0] * 9), bounds)
        assert (result.p_holds, result.p_fails) == (1, 1)
    assert verdict(seeds(*[0.0] * 9), (0.0, 1.0)) == "holds"


@pytest.mark.parametrize(
    ("value", "above", "below", "bounds", "expected"),
    [
        (10, True, False, POSITIVE, "holds"),
        (-10, True, False, POSITIVE, "inconclusive"),
        (-10, False, True, POSITIVE, "fails"),
        (10, False, True, POSITIVE, "inconclusive"),
        (10, True, False, (0, 20), "inconclusive"),
        (30, True, False, (0, 20), "fails"),
        (-10, True, False, (0, 20), "inconclusive"),
        (30, False, True, (0, 20), "inconclusive"),
        (-10, False, True, (0, 20), "fails"),
        (10, True, True, POSITIVE, "inconclusive"),
    ],
)
def test_an_open_end_leaves_that_side_undecided(
    value: float, above: bool, below: bool, bounds: Bounds, expected: Verdict
) -> None:
    samples = [
        Sample(value + shift, np.empty(0), open_above=above and not shift, open_below=below and not shift)
        for shift in (-0.1, 0.0, 0.1)
    ]
    assert verdict(samples, bounds) == expected
    result = outcome(samples, bounds)
    assert (math.isinf(result.interval[1]), math.isinf(result.interval[0])) == (above, below)


def test_a_difference_is_open_where_one_of_its_runs_is() -> None:
    rising, ended = Sample(10.0, np.empty(0), open_above=True), Sample(5.0, np.empty(0))
    assert (difference(rising, ended).open_above, difference(rising, ended).open_below) == (True, False)
    assert (difference(ended, rising).open_above, difference(ended, rising).open_below) == (False, True)
    falling = Sample(5.0, np.empty(0), open_below=True)
    assert (ratio(falling, ended).open_below, ratio(ended, falling).open_above) == (True, True)


def test_noise_is_compared_draw_by_draw_with_the_smaller_number_of_blocks() -> None:
    noise = np.random.default_rng(0).standard_normal(200)
    first, second = Sample(3.0, 3 + noise, 9.0), Sample(1.0, 1 + noise, 7.0)
    assert difference(first, second).error == pytest.approx(0, abs=1e-12)  # the same noise in both
    assert difference(first, second).blocks == 7
    assert ratio(first, Sample(2.0, np.empty(0), 7.0)).error == pytest.approx(first.error / 2)
    assert math.isnan(difference(*seeds(3, 1)).error)


def test_accuracies_on_the_same_examples_are_compared_on_each_of_them() -> None:
    """By hand: of 400 examples b = 30 only the first net answers, c = 12 only the second; as in McNemar's test."""
    b, c, count = 30, 12, 400
    first, second = np.zeros(count, bool), np.zeros(count, bool)
    first[:b], second[b : b + c] = True, True
    first[100:], second[100:] = True, True
    nets = [
        Sample(100 * answers.mean(), np.array([80.0, 84.0]), math.inf, answers=answers, examples=name)
        for answers, name in ((first, "digits"), (second, "digits"), (second, "letters"))
    ]
    paired, other = difference(nets[0], nets[1]), difference(nets[0], nets[2])
    assert paired.value == other.value == pytest.approx(100 * (b - c) / count)
    assert paired.error == pytest.approx(100 * math.sqrt((b + c - (b - c) ** 2 / count) / (count * (count - 1))))
    assert other.error == pytest.approx(np.std([0, 0], ddof=1))
    # McNemar's statistic omits the variance of the mean, which is small
    table = [[count - 100, b], [c, 100 - b - c]]
    squared = (paired.value / paired.error) ** 2
    assert squared == pytest.approx(mcnemar(table, exact=False, correction=False).statistic, rel=0.03)
    assert verdict([paired], POSITIVE) == "holds"
    assert math.isinf(paired.blocks)


def test_all_statements_must_hold_and_one_fails_at_its_share_of_the_level() -> None:
    rows = np.array([FIVE, OTHER, (-1.0, 0.2, 0.3, -0.5, 0.1)])[:, None]
    closed = np.zeros((3, 1), bool)
    every = Numbers(rows, np.full_like(rows, math.nan), rows, closed, closed, POSITIVE)
    each = [outcome(seeds(*row[0]), POSITIVE) for row in rows]
    p_holds, p_fails = every.over_all()
    assert p_holds == max(one.p_holds for one in each)
    assert p_fails == min(1, 3 * min(one.p_fails for one in each))


def test_the_verdict_is_at_95_per_cent() -> None:
    assert [verdict_of(*p) for p in ((0.05, 1.0), (0.051, 1.0), (1.0, 0.05), (1.0, 0.051))] == [
        "holds", "inconclusive", "fails", "inconclusive"
    ]  # fmt: skip


def test_many_numbers_are_tested_as_each_of_them() -> None:
    rng = np.random.default_rng(1)
    values, errors = rng.standard_normal((2, 7, 3)), rng.random((2, 7, 3))
    closed = np.zeros((2, 7), bool)
    together = Numbers(values, errors, errors, closed, closed, (-1.0, 1.0))
    alone = Numbers(values[1, 4], errors[1, 4], errors[1, 4], closed[1, 4], closed[1, 4], (-1.0, 1.0))
    for name in ("value", "error", "p_holds", "p_fails"):
        assert getattr(together, name)[1, 4] == getattr(alone, name)
    assert [end[1, 4] for end in together.interval] == list(alone.interval)


def test_a_margin_is_the_smallest_distance_to_a_bound() -> None:
    values, unused, closed = np.array([[[1.0], [5.0]], [[2.0], [9.0]]]), np.ones((2, 2, 1)), np.zeros((2, 2), bool)
    for bounds, margins in (((0, 10), [1, 1]), (POSITIVE, [1, 5]), ((-math.inf, 3), [1, -6])):
        assert Numbers(values, unused, unused, closed, closed, bounds).margins().tolist() == margins
