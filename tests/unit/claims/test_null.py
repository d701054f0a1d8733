"""The null distribution: permutations counted by hand, and several claims together."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sharpest.claims.ledger import NEGATIVE, POSITIVE
from sharpest.claims.null import (
    MOST_ORDERS,
    NUM_DRAWS,
    Null,
    Statements,
    neighbours,
    of_curves,
    of_labels,
    on_side,
    orders_of,
    together,
)
from sharpest.claims.verdicts import Numbers, Sample, difference


def row(*values: float, run: str = "") -> list[Sample]:
    return [Sample(value, run=run and f"{run}-s{seed}") for seed, value in enumerate(values)]


def order(*rows: list[Sample]) -> Statements:
    named = [[replace(sample, run=sample.run or f"run{place}-s{seed}") for seed, sample in enumerate(row)]
             for place, row in enumerate(rows)]  # fmt: skip
    return Statements(named, POSITIVE, neighbours(len(rows)), False, difference)


def runs_of(rows: int, seeds: int) -> list[str]:
    return [f"run{row}-s{seed}" for row in range(rows) for seed in range(seeds)]


@pytest.mark.parametrize(("rows", "seeds"), [(2, 1), (2, 5), (3, 3), (4, 2), (6, 1)])
def test_few_permutations_are_all_taken_once(rows: int, seeds: int) -> None:
    orders = orders_of(rows, seeds, runs_of(rows, seeds))
    assert orders.shape == (math.factorial(rows) ** seeds, seeds, rows)
    assert len({each.tobytes() for each in orders}) == len(orders)
    assert (np.sort(orders, axis=-1) == np.arange(rows)).all()
    assert orders[0].tolist() == [list(range(rows))] * seeds  # none


def test_of_many_permutations_some_are_drawn_by_the_names_of_the_runs() -> None:
    runs = runs_of(4, 3)
    orders = orders_of(4, 3, runs)
    assert orders.shape == (MOST_ORDERS, 3, 4)
    assert orders[0].tolist() == [list(range(4))] * 3
    assert (np.sort(orders, axis=-1) == np.arange(4)).all()
    assert (orders == orders_of(4, 3, runs[::-1])).all()
    assert not (orders == orders_of(4, 3, runs_of(4, 4)[:12])).all()
    # each of the 24 about equally often
    counts = np.unique(orders[:, 0], axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert counts == pytest.approx(np.full(24, MOST_ORDERS / 24), rel=0.35)


@pytest.mark.parametrize(("rows", "seeds"), [(2, 1), (2, 3), (3, 2), (3, 3), (4, 2)])
def test_an_order_in_each_seed_is_one_of_all_permutations(rows: int, seeds: int) -> None:
    """Equal steps: no other permutation of any seed has as large a smallest difference."""
    numbers = [row(*(10.0 * (rows - place) + 0.1 * seed for seed in range(seeds))) for place in range(rows)]
    null = of_labels(order(*numbers))
    assert null is not None
    assert null.p_above == pytest.approx(1 / math.factorial(rows) ** seeds)
    assert null.as_claimed[0]
    turned = of_labels(order(*numbers[::-1]))
    assert turned is not None
    assert not turned.as_claimed[0]
    assert turned.p_above > 0.4


def test_the_share_of_permutations_is_that_counted_by_hand() -> None:
    """Two seeds of three levels: the smaller of both mean differences, under each of 36 permutations."""
    values = np.array([[10, 9, 0], [10, 9.9, 9.8]])
    null = of_labels(order(*(row(*level) for level in values.T)))
    assert null is not None
    margins = [
        -np.diff((values[0, list(first)] + values[1, list(second)]) / 2).max()
        for first, second in itertools.product(itertools.permutations(range(3)), repeat=2)
    ]
    assert null.margins == pytest.approx(margins)
    assert margins[0] == pytest.approx(0.55)
    assert null.p_above == pytest.approx(np.mean(np.array(margins) >= 0.55 - 1e-9))
    assert null.p_above > 1 / 36  # reordering the second seed makes the steps more equal
    assert null.p_below == pytest.approx(np.mean(np.array(margins) <= 0.55 + 1e-9))
    assert null.as_claimed.tolist() == [margin > 1e-12 for margin in margins]


def test_another_row_may_replace_the_row_of_the_claim() -> None:
    rows = [row(5, 6, 7), row(-5, -6, -7)]
    null = of_labels(Statements(rows, POSITIVE, [(0,)], True))
    assert null is not None
    assert null.p_above == 1 / 8
    assert null.margins[0] == 6
    assert null.margins.min() == -6
    assert of_labels(Statements(rows[:1], POSITIVE, [(0,)], True)) is None


def test_a_permutation_holds_by_the_rule_of_the_claim() -> None:
    """With six equal seeds a sign test decides; of all permutations only this one holds."""
    rows = [row(*[2.0] * 6), row(*[1.0] * 6)]
    null = of_labels(order(*rows))
    assert null is not None
    assert null.holds[0]
    assert null.holds.sum() == 1
    one = of_labels(order(row(2.0), row(1.0)))
    assert one is not None
    assert not one.holds.any()  # one seed between runs decides nothing


def test_claims_of_the_same_runs_share_their_permutations() -> None:
    """In each draw all claims permute the runs alike: the rows of the second claim are those of the first, reversed."""
    values = (3.0, 3.1), (2.0, 2.2), (1.0, 0.8), (0.0, 0.5)
    rows = [row(*pair, run=f"run{place}") for place, pair in enumerate(values)]
    first = of_labels(order(*rows))
    turned = of_labels(Statements(rows[::-1], NEGATIVE, neighbours(4), False, difference))
    assert first is not None
    assert turned is not None
    assert first.family == turned.family
    # a claim that numbers rise, over reversed rows, claims that they fall
    assert turned.margins == pytest.approx(first.margins)
    own = [
        of_labels(Statements([rows[place], *rows[:place], *rows[place + 1 :]], POSITIVE, [(0,)], True))
        for place in range(4)
    ]
    # each row takes one place, so the places have the same sum in each draw
    assert np.sum([null.margins for null in own if null], axis=0) == pytest.approx(np.full(24**2, 6.3))
    assert {null.family for null in own if null} == {first.family}


def test_other_runs_are_another_family() -> None:
    nulls = [of_labels(order(row(1.0, run=one), row(0.0, run=other))) for one, other in ("ab", "ba", "ac")]
    families = {null.family for null in nulls if null}
    assert len(families) == 2


def curves(values: list[float], chance: np.ndarray, bounds: tuple[float, float], kind: str) -> Null:
    numbers, closed = np.array([[values]]), np.zeros((1, 1), bool)
    observed = Numbers(numbers, np.full_like(numbers, 0.01), np.full_like(numbers, math.inf), closed, closed, bounds)
    return of_curves(observed, chance[None], ["b", "a"], kind)


def test_a_shape_holds_by_the_rule_and_rarely_by_chance() -> None:
    chance = np.linspace(-1, 0.99, 199)[:, None]
    rare = curves([1.0], chance, (0.5, math.inf), "blocks")
    assert rare.p_above == 1 / 200
    assert rare.holds[0]
    assert rare.holds.sum() == 10  # the highest twentieth
    assert rare.as_claimed.sum() == 1 + (chance >= 0.5).sum()
    assert rare.family == ("blocks", "a", "b")
    often = curves([1.0], np.abs(chance) + 0.6, (0.5, math.inf), "blocks")
    assert often.p_above > 0.05
    assert not often.holds[0]
    # for curves that move together or against each other, each side has half
    assert curves([1.0], chance, (0.5, math.inf), "shifts").holds.sum() == 5


def test_of_several_seeds_surrogates_are_taken_together() -> None:
    rng = np.random.default_rng(0)
    null = curves([0.9, 0.8, 1.0], rng.uniform(-1, 1, (199, 3)), (0.5, math.inf), "blocks")
    assert null.margins[0] == pytest.approx(0.4)
    assert null.p_above == 1 / 200


def test_zero_is_on_the_side_of_a_bound_but_has_no_sign() -> None:
    assert on_side(np.array([-1.0, 0.0, 1.0]), POSITIVE).tolist() == [False, False, True]
    assert on_side(np.array([-1.0, 0.0, 1.0]), (0, 3)).tolist() == [False, True, True]


def table_of(*claims: tuple[str, str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(claims, columns=["id", "item", "verdict", "kind_of", "implied_by"])


def null_of(family: str, *holds: bool) -> Null:
    flags = np.array(holds)
    return Null((family,), flags.astype(float), flags, ~flags)


def test_claims_of_a_family_are_permuted_alike_and_families_independently() -> None:
    """Half of the draws make a claim hold: in one family both or none, in two families each independently."""
    table = table_of(*((name, item, "holds", "finding", "") for name, item in zip("abcd", "1122", strict=True)))
    flags = (True, False)
    nulls = {"a": null_of("x", *flags), "b": null_of("x", *flags), "c": null_of("x", *flags), "d": null_of("y", *flags)}
    counts = together(table, nulls).set_index("item")
    assert list(counts.index) == ["1", "2", "all"]
    assert counts["claims"].tolist() == counts["holds"].tolist() == [2, 2, 4]
    assert counts["null_holds"].tolist() == pytest.approx([1, 1, 2], abs=0.05)
    assert counts["p_holds"].tolist() == pytest.approx([1 / 2, 1 / 4, 1 / 4], abs=0.02)
    assert counts["as_claimed"].tolist() == [0, 0, 0]
    assert counts["p_as_claimed"].tolist() == [1, 1, 1]
    assert counts["null_as_claimed"].tolist() == pytest.approx([1, 1, 2], abs=0.05)
    assert counts["null_holds_high"].tolist() == [2, 2, 4]


def test_the_high_count_is_that_of_95_per_cent_of_the_draws() -> None:
    nulls = {"a": null_of("x", True, *[False] * 24)}  # holds in 4 % of them
    (_, counts) = together(table_of(("a", "1", "holds", "finding", "")), nulls).to_dict("records")
    assert counts["null_holds_high"] == 0
    assert counts["p_holds"] == pytest.approx(0.04, abs=0.01)
    never = together(table_of(("a", "1", "holds", "finding", "")), {"a": null_of("x", True, *[False] * 10**6)})
    assert never["p_holds"].tolist() == pytest.approx([1 / (1 + NUM_DRAWS)] * 2, rel=2)


def test_only_findings_that_are_judged_and_that_nothing_implies_are_counted() -> None:
    table = table_of(
        ("a", "1", "holds", "finding", ""),
        ("b", "1", "holds", "sanity", ""),
        ("c", "1", "holds", "finding", "a"),
        ("d", "1", "not_judged", "finding", ""),
        ("e", "1", "inconclusive", "finding", ""),
        ("f", "2", "holds", "finding", ""),  # nothing to permute
    )
    counts = together(table, {name: null_of(name, True, False) for name in "abcde"}).set_index("item")
    assert counts["claims"].to_dict() == {"1": 2, "all": 2}
    empty = together(table, {}).to_dict("records")
    assert [(row["item"], row["claims"], row["holds"], row["p_holds"]) for row in empty] == [("all", 0, 0, 1)]
