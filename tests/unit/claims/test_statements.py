"""Numbers of permuted rows, compared with rows permuted by hand."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from sharpest.claims.ledger import POSITIVE
from sharpest.claims.null import Statements, neighbours
from sharpest.claims.shapes import Series, rank_correlation
from sharpest.claims.verdicts import Numbers, Sample, difference, ratio

SEEDS = 3


def made_rows(count: int) -> list[list[Sample]]:
    """Numbers above zero, with noise, blocks, open ends and answers on test examples."""
    rng = np.random.default_rng(count)
    return [
        [
            Sample(
                value := float(rng.uniform(1, 9)),
                value + rng.standard_normal(50),
                float(rng.integers(5, 20)),
                open_above=bool(rng.random() < 0.2),
                open_below=bool(rng.random() < 0.2),
                answers=rng.random(40) < 0.5 if row % 2 else None,
                examples="digits",
            )
            for _ in range(SEEDS)
        ]
        for row in range(count)
    ]


def some_orders(count: int) -> np.ndarray:
    """(p, n, l): each seed permuted differently, the first order unpermuted."""
    each = list(itertools.permutations(range(count)))
    chosen = np.random.default_rng(0).integers(0, len(each), (12, SEEDS))
    chosen[0] = 0
    return np.array(each)[chosen]


def by_hand(statements: Statements, order: np.ndarray, number: Callable[..., Sample]) -> list[Numbers]:
    """One number per place, from rows that take different places by seed."""
    rows = [[statements.rows[order[seed, place]][seed] for seed in range(SEEDS)] for place in range(order.shape[1])]
    return [
        Numbers.of([number(*(rows[row][seed] for row in place)) for seed in range(SEEDS)], POSITIVE)
        for place in statements.places
    ]


def identity(sample: Sample) -> Sample:
    return sample


@pytest.mark.parametrize(
    ("count", "places", "compare"),
    [
        (3, neighbours(3), difference),
        (4, [(0, 1), (2, 3)], difference),  # two levels of each of two runs
        (2, [(0, 1)], ratio),
        (2, [(0, 1)], difference),
        (3, [(0,)], None),  # another row may replace the row of the claim
        (3, [(0,), (1,), (2,)], None),
    ],
)
def test_permuted_numbers_are_those_of_rows_permuted_by_hand(
    count: int, places: list[tuple[int, ...]], compare: Callable[..., Sample] | None
) -> None:
    statements = Statements(made_rows(count), POSITIVE, places, True, compare)
    orders = some_orders(count)
    measured = statements.under(orders)
    assert measured.values.shape == (len(places), len(orders), SEEDS)
    for draw, order in enumerate(orders):
        for place, expected in enumerate(by_hand(statements, order, compare or identity)):
            for name in ("values", "errors", "blocks", "open_above", "open_below"):
                assert np.array_equal(getattr(measured, name)[place, draw], getattr(expected, name)), name


def test_the_identity_leaves_rows_unchanged() -> None:
    statements = Statements(made_rows(3), POSITIVE, neighbours(3), False, difference)
    (first, second), rows = statements.measured.values[:, 0], statements.rows
    assert first.tolist() == [a.value - b.value for a, b in zip(rows[0], rows[1], strict=True)]
    assert second.tolist() == [b.value - c.value for b, c in zip(rows[1], rows[2], strict=True)]


def test_a_statistic_over_levels_uses_the_numbers_of_each_seed() -> None:
    statements = Statements(made_rows(5), POSITIVE, [()], False, over_levels=rank_correlation)
    orders = some_orders(5)
    measured = statements.under(orders)
    assert measured.values.shape == (1, len(orders), SEEDS)
    for draw, seed in itertools.product(range(len(orders)), range(SEEDS)):
        numbers = np.array([[statements.rows[row][seed].value] for row in orders[draw, seed]])
        expected = rank_correlation(Series(np.arange(5.0), numbers))
        assert measured.values[0, draw, seed] == pytest.approx(expected)
    assert np.isnan(measured.errors).all()
    assert not (measured.open_above | measured.open_below).any()


def test_neighbours() -> None:
    assert neighbours(4) == [(0, 1), (1, 2), (2, 3)]
