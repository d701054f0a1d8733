"""The statements of a claim about its samples, and claims under chance: labels permuted, curves shuffled or shifted."""

from __future__ import annotations

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
from sharpest.claims.verdicts import LEVEL, PARTS, Bounds, Numbers, Sample

Orders = NDArray[np.int64]
"""Row indices (p, n, l): for each of p permutations and n seeds, the row that replaces each of the l rows."""


@dataclass(frozen=True)
class Statements:
    """Numbers that must lie within bounds, by seed.

    Attributes:
        rows: Samples (l, n) of l levels, runs or directions, by seed.
        bounds: Lowest and highest allowed value of each number.
        places: For each number, the row it comes from, or the two rows that ``compare`` combines.
        alone: Whether one seed can decide.
        compare: Combines the samples of two rows into one.
        over_levels: If given, the only number is this statistic of the curve through all rows; ``places`` and
            ``compare`` are unused.
    """

    rows: Sequence[Sequence[Sample]]
    bounds: Bounds
    places: Sequence[tuple[int, ...]]
    alone: bool
    compare: Callable[[Sample, Sample], Sample] | None = None
    over_levels: Statistic | None = None

    @cached_property
    def runs(self) -> list[str]:
        """The runs behind the samples, row by row."""
        return [sample.run for row in self.rows for sample in row if sample.run]

    @cached_property
    def measured(self) -> Numbers:
        """The q numbers as measured (q, 1, n)."""
        return self.under(np.broadcast_to(np.arange(len(self.rows)), (1, len(self.rows[0]), len(self.rows))))

    def under(self, orders: Orders) -> Numbers:
        """The q numbers under each permutation (q, p, n)."""
        if self.over_levels is not None:
            values = self._over_levels(orders)
            unknown, closed = np.full_like(values, np.nan), np.zeros(values.shape[:2], dtype=bool)
            return Numbers(values, unknown, unknown, closed, closed, self.bounds, self.alone)
        seeds = np.arange(len(self.rows[0]))
        places = [(*(orders[:, :, row] for row in place), seeds) for place in self.places]
        values, errors, blocks, above, below = (np.stack([part[place] for place in places]) for part in self._table)
        return Numbers(values, errors, blocks, np.any(above, axis=-1), np.any(below, axis=-1), self.bounds, self.alone)

    @cached_property
    def _table(self) -> list[NDArray[Any]]:
        """The ``PARTS`` of all samples: (l, n), or (l, l, n) for pairs of rows."""
        cells: Any = self.rows
        if self.compare is not None:
            cells = [[list(map(self.compare, one, other)) for other in self.rows] for one in self.rows]
        return [np.vectorize(lambda sample, part=part: getattr(sample, part))(np.array(cells)) for part in PARTS]

    def _over_levels(self, orders: Orders) -> NDArray[np.float64]:
        """The statistic over the levels (1, p, n), computed once for each order of a seed's values."""
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
        return result


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


def of_labels(statements: Statements) -> Null | None:
    """A claim with its labels permuted; None if there is only one row."""
    rows = statements.rows
    if len(rows) < 2:
        return None
    numbers = statements.under(_unsorted(orders_of(len(rows), len(rows[0]), statements.runs), rows))
    p_holds, _ = numbers.over_all()
    margins, shape = numbers.margins(), (numbers.values.shape[1], len(rows[0]), len(rows))
    family = ("labels", str(shape), *sorted(statements.runs))
    return Null(family, margins, p_holds <= LEVEL, on_side(margins, statements.bounds))


def _unsorted(orders: Orders, rows: Sequence[Sequence[Sample]]) -> Orders:
    """Turn orders of the rows sorted by their runs into orders of the rows as given.

    Claims that list the same rows differently then permute the same runs in the same draw.
    """
    ranked = sorted(range(len(rows)), key=lambda row: [sample.run for sample in rows[row]])
    unsorted: Orders = np.array(ranked)[orders[:, :, np.argsort(ranked)]]
    return unsorted


def of_curves(observed: Numbers, chance: NDArray[np.float64], runs: Sequence[str], kind: str) -> Null:
    """A claim about the shape of curves, with its surrogates.

    The claim holds for a surrogate if the rule holds and at most 5 % of the draws reach its margin; 2.5 % for curves
    that move together, whose test is two-sided.

    Args:
        observed: The measured numbers (q, 1, n).
        chance: The numbers of the surrogates (q, p, n).
        runs: The runs behind the claim.
        kind: Kind of the surrogates.
    """
    values = np.concatenate([observed.values, chance], axis=1)
    closed = np.zeros(values.shape[:2], dtype=bool)
    errors, blocks = (np.broadcast_to(part, values.shape) for part in (observed.errors, observed.blocks))
    numbers = Numbers(values, errors, blocks, closed, closed, observed.bounds)
    p_holds, _ = numbers.over_all()
    margins = numbers.margins()
    rare = (margins[None] >= (margins - _TOLERANCE * abs(margins))[:, None]).mean(axis=1)
    level = LEVEL / 2 if kind == "shifts" else LEVEL
    holds = (p_holds <= LEVEL) & (rare <= level)
    return Null((kind, *sorted(runs)), margins, holds, on_side(margins, observed.bounds))


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
