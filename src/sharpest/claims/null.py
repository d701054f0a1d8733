"""The statements of a claim about its samples, and claims under chance: labels permuted, curves shuffled or shifted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, permutations, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sharpest.claims.ledger import NEGATIVE, POSITIVE
from sharpest.claims.resampling import generator
from sharpest.claims.shapes import Series, Statistic
from sharpest.claims.verdicts import LEVEL, Bounds, Measured, Sample, against, over_all

Orders = NDArray[np.int64]
"""Row indices (p, n, l): for each of p permutations and n seeds, the row that replaces each of the l rows."""


@dataclass(frozen=True)
class Statements:
    """Numbers that must lie within bounds, by seed.

    Attributes:
        rows: Samples (l, n) of l levels, runs or directions, by seed.
        bounds: Lowest and highest allowed value of each number.
        places: For each number, the row it comes from, or the two rows that ``compare`` combines.
        compare: Combines the samples of two rows into one.
        over_levels: If given, the only number is this statistic of the curve through all rows; ``places`` and
            ``compare`` are unused.
    """

    rows: Sequence[Sequence[Sample]]
    bounds: Bounds
    places: Sequence[tuple[int, ...]]
    compare: Callable[[Sample, Sample], Sample] | None = None
    over_levels: Statistic | None = None

    @property
    def num_seeds(self) -> int:
        return len(self.rows[0])

    @cached_property
    def as_they_are(self) -> Orders:
        """The identity (1, n, l)."""
        shape = (1, self.num_seeds, len(self.rows))
        return np.broadcast_to(np.arange(len(self.rows)), shape)

    def measured(self, orders: Orders) -> Measured:
        """The q numbers under each permutation (q, p, n)."""
        if self.over_levels is not None:
            return self._over_levels(orders)
        parts = [self._placed(place, orders) for place in self.places]
        values, errors, blocks, above, below = (np.stack(part) for part in zip(*parts, strict=True))
        return Measured(values, errors, blocks, np.any(above, axis=-1), np.any(below, axis=-1))

    @cached_property
    def _table(self) -> tuple[NDArray[Any], ...]:
        """Values, errors, blocks, open above and open below: (l, n), or (l, l, n) for pairs of rows."""
        if self.compare is None:
            cells = np.array(self.rows, dtype=object)
        else:
            count = len(self.rows)
            cells = np.empty((count, count, self.num_seeds), dtype=object)
            for first in range(count):
                for second in range(count):
                    pairs = zip(self.rows[first], self.rows[second], strict=True)
                    # the diagonal is unused: no row is compared with itself
                    cells[first, second] = [a if first == second else self.compare(a, b) for a, b in pairs]
        names = ("value", "error", "blocks", "open_above", "open_below")
        return tuple(np.vectorize(lambda sample, name=name: getattr(sample, name))(cells) for name in names)

    def _placed(self, place: tuple[int, ...], orders: Orders) -> list[NDArray[Any]]:
        chosen = tuple(orders[:, :, row] for row in place)
        return [part[(*chosen, np.arange(self.num_seeds))] for part in self._table]

    def _over_levels(self, orders: Orders) -> Measured:
        """The statistic over the levels, computed once for each order of a seed's values."""
        assert self.over_levels is not None
        values, computed = np.array([[sample.value for sample in row] for row in self.rows]), {}
        result = np.empty((1, *orders.shape[:2]))
        for number, order in enumerate(orders):
            for seed, levels in enumerate(order):
                key = (seed, *levels.tolist())
                if key not in computed:
                    curve = values[levels, seed]
                    computed[key] = self.over_levels(Series(np.arange(len(curve), dtype=float), curve[:, None]))
                result[0, number, seed] = computed[key]
        unknown, closed = np.full_like(result, np.nan), np.zeros(result.shape[:2], dtype=bool)
        return Measured(result, unknown, unknown, closed, closed)


def neighbours(count: int) -> list[tuple[int, ...]]:
    """Index pairs of the neighbouring levels of an order."""
    return list(pairwise(range(count)))


MOST_ORDERS = 4_096  # all permutations up to this number; a random sample of this size if there are more
NUM_DRAWS = 10_000  # joint draws of all claims
_TOLERANCE = 1e-12  # relative; margins closer than this are equal


@dataclass(frozen=True)
class Null:
    """A claim under chance, in p draws; draw 0 is the measurement.

    Attributes:
        family: What the draws permute; claims of the same family share their draws.
        margins: By how much the claim is true, ignoring errors (p,); negative if it is false.
        holds: Whether the claim would hold (p,), bool.
        as_claimed: Whether the number would be on the claimed side (p,), bool.
    """

    family: tuple[str, ...]
    margins: NDArray[np.float64]
    holds: NDArray[np.bool_]
    as_claimed: NDArray[np.bool_]

    @property
    def p_above(self) -> float:
        """Fraction of the draws, draw 0 included, in which the claim is at least as true as measured."""
        return float((self.margins >= self.margins[0] - _TOLERANCE * abs(self.margins[0])).mean())

    @property
    def p_below(self) -> float:
        """Fraction of the draws, draw 0 included, in which the claim is at most as true as measured."""
        return float((self.margins <= self.margins[0] + _TOLERANCE * abs(self.margins[0])).mean())


def orders_of(num_rows: int, num_seeds: int, runs: Sequence[str]) -> Orders:
    """Permutations of the rows within each seed (p, n, l); the first is the identity.

    All permutations if there are at most ``MOST_ORDERS``, else a sample seeded by the names of the runs.
    """
    of_seed = np.array(list(permutations(range(num_rows))))
    if len(of_seed) ** num_seeds <= MOST_ORDERS:
        return np.array([of_seed[list(chosen)] for chosen in product(range(len(of_seed)), repeat=num_seeds)])
    drawn = generator(" ".join(sorted(runs))).integers(0, len(of_seed), (MOST_ORDERS, num_seeds))
    drawn[0] = 0
    return of_seed[drawn]


def of_labels(statements: Statements, runs: Sequence[str], alone: bool) -> Null | None:
    """A claim with its labels permuted; None if there is only one row."""
    if len(statements.rows) < 2:
        return None
    orders = _unsorted(orders_of(len(statements.rows), statements.num_seeds, runs), runs)
    measured = statements.measured(orders)
    result = against(measured, statements.bounds, alone)
    p_holds, _ = over_all(result.p_holds, result.p_fails)
    margins = margins_of(result.value, statements.bounds)
    family = ("labels", str(orders.shape), *sorted(runs))
    return Null(family, margins, p_holds <= LEVEL, on_side(margins, statements.bounds))


def _unsorted(orders: Orders, runs: Sequence[str]) -> Orders:
    """Turn orders of the rows sorted by their runs into orders of the rows as given.

    Claims that list the same rows differently then permute the same runs in the same draw.
    """
    num_seeds, num_rows = orders.shape[1:]
    ranked = sorted(range(num_rows), key=lambda row: tuple(runs[row * num_seeds : (row + 1) * num_seeds]))
    unsorted: Orders = np.array(ranked)[orders[:, :, np.argsort(ranked)]]
    return unsorted


def of_curves(observed: Measured, chance: NDArray[np.float64], bounds: Bounds, runs: Sequence[str], kind: str) -> Null:
    """A claim about the shape of curves, with its surrogates.

    The claim holds for a surrogate if the rule holds and at most 5 % of the draws reach its margin; 2.5 % for curves
    that move together, whose test is two-sided.

    Args:
        observed: The measured numbers (q, n).
        chance: The numbers of the surrogates (q, p, n).
        bounds: Lowest and highest allowed value of each number.
        runs: The runs behind the claim.
        kind: Kind of the surrogates.
    """
    values = np.concatenate([observed.values[:, None], chance], axis=1)
    shape = values.shape
    measured = Measured(
        values,
        np.broadcast_to(observed.errors[:, None], shape),
        np.broadcast_to(observed.blocks[:, None], shape),
        np.zeros(shape[:2], dtype=bool),
        np.zeros(shape[:2], dtype=bool),
    )
    result = against(measured, bounds)
    p_holds, _ = over_all(result.p_holds, result.p_fails)
    margins = margins_of(result.value, bounds)
    rare = (margins[None] >= (margins - _TOLERANCE * abs(margins))[:, None]).mean(axis=1)
    level = LEVEL / 2 if kind == "shifts" else LEVEL
    return Null((kind, *sorted(runs)), margins, (p_holds <= LEVEL) & (rare <= level), on_side(margins, bounds))


def margins_of(values: NDArray[np.float64], bounds: Bounds) -> NDArray[np.float64]:
    """How far the worst of q numbers (q, p) lies within the bounds (p,)."""
    low, high = bounds
    inside = [values - low] * math.isfinite(low) + [high - values] * math.isfinite(high)
    return np.min(inside, axis=(0, 1))


def on_side(margins: NDArray[np.float64], bounds: Bounds) -> NDArray[np.bool_]:
    """Whether numbers are on the claimed side; 0 has no sign."""
    return margins > 0 if bounds in (POSITIVE, NEGATIVE) else margins >= 0


def together(table: pd.DataFrame, nulls: Mapping[str, Null]) -> pd.DataFrame:
    """Counts of claims that hold, and that would hold by chance, by item or later paper and in total.

    Counted are judged findings that no other row implies and whose labels can be permuted. In each of 10,000 draws,
    claims of the same family share a permutation; families are independent.

    Args:
        table: Claims as returned by ``sharpest.claims.judgement.judge``.
        nulls: Id of a claim -> the claim under chance.

    Returns:
        One row per item or later paper, and one for ``all``: claims, holds, null_holds (mean over draws),
        null_holds_high (their 95 % quantile), p_holds (fraction of draws with at least as many), and the same of
        as_claimed.
    """
    counted = table[table["id"].isin(list(nulls)) & is_counted(table)]
    rng = np.random.default_rng(0)
    families = {nulls[claim].family: len(nulls[claim].margins) for claim in counted["id"]}
    draws = {family: rng.integers(0, size, NUM_DRAWS) for family, size in families.items()}
    rows = []
    group = group_of(table)
    for group_name, ids in [*counted.groupby(group, sort=False)["id"], ("all", counted["id"])]:
        row: dict[str, object] = {group: group_name, "claims": len(ids)}
        for name in ("holds", "as_claimed"):
            row |= _counts(name, [nulls[claim] for claim in ids], draws)
        rows.append(row)
    return pd.DataFrame(rows)


def _counts(name: str, nulls: Iterable[Null], draws: Mapping[tuple[str, ...], NDArray[np.int64]]) -> dict[str, float]:
    flags = [(null.family, getattr(null, name)) for null in nulls]
    observed = int(sum(flag[0] for _, flag in flags))
    chance = np.sum([flag[draws[family]] for family, flag in flags], axis=0) if flags else np.zeros(NUM_DRAWS)
    return {
        name: observed,
        f"null_{name}": float(chance.mean()),
        f"null_{name}_high": float(np.quantile(chance, 1 - LEVEL, method="higher")),
        f"p_{name}": float((1 + (chance >= observed).sum()) / (1 + NUM_DRAWS)),
    }


def group_of(table: pd.DataFrame) -> str:
    """The column by which claims are grouped: ``paper`` for claims of later papers, else ``item``."""
    return "paper" if "paper" in table else "item"


def is_counted(table: pd.DataFrame) -> pd.Series[bool]:
    """Which rows count: judged findings that no other row implies."""
    return (table["verdict"] != "not_judged") & (table["kind_of"] == "finding") & (table["implied_by"] == "")
