"""What chance would give: labels permuted within each seed, curves shuffled or shifted."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sharpest.claims.ledger import NEGATIVE, POSITIVE
from sharpest.claims.resampling import generator
from sharpest.claims.statements import Orders, Statements
from sharpest.claims.verdicts import LEVEL, Bounds, Measured, against, over_all

MOST_ORDERS = 4_096  # permutations, above which so many are drawn
NUM_DRAWS = 10_000  # of all claims together
_TOLERANCE = 1e-12  # of equal margins, relative


@dataclass(frozen=True)
class Null:
    """A claim under chance; draw 0 is what was measured.

    Attributes:
        family: What the draws permute; claims of one family share them, draw by draw.
        margins: (p,), by how much the claim is true, error aside; below zero where it is not.
        holds: (p,) bool, whether it would hold.
        as_claimed: (p,) bool, whether the number would be on the side that is claimed.
    """

    family: tuple[str, ...]
    margins: NDArray[np.float64]
    holds: NDArray[np.bool_]
    as_claimed: NDArray[np.bool_]

    @property
    def p_above(self) -> float:
        """Share of the draws in which the claim is at least as true as measured, this one among them."""
        return float((self.margins >= self.margins[0] - _TOLERANCE * abs(self.margins[0])).mean())

    @property
    def p_below(self) -> float:
        """Likewise, at most as true."""
        return float((self.margins <= self.margins[0] + _TOLERANCE * abs(self.margins[0])).mean())


def orders_of(num_rows: int, num_seeds: int, runs: Sequence[str]) -> Orders:
    """(p, n, l), permutations of rows within each seed; all where there are few, else some drawn by name of the runs.

    The first is none.
    """
    each = np.array(list(permutations(range(num_rows))))
    if len(each) ** num_seeds <= MOST_ORDERS:
        return np.array([each[list(chosen)] for chosen in product(range(len(each)), repeat=num_seeds)])
    drawn = generator(" ".join(sorted(runs))).integers(0, len(each), (MOST_ORDERS, num_seeds))
    drawn[0] = 0
    return each[drawn]


def of_labels(statements: Statements, runs: Sequence[str], alone: bool) -> Null | None:
    """A claim with its labels permuted; None where there is one row, which cannot be."""
    if len(statements.rows) < 2:
        return None
    orders = _of_rows(orders_of(len(statements.rows), statements.num_seeds, runs), runs)
    measured = statements.measured(orders)
    result = against(measured, statements.bounds, alone)
    p_holds, _ = over_all(result.p_holds, result.p_fails)
    margins = margins_of(result.value, statements.bounds)
    family = ("labels", str(orders.shape), *sorted(runs))
    return Null(family, margins, p_holds <= LEVEL, on_side(margins, statements.bounds))


def _of_rows(orders: Orders, runs: Sequence[str]) -> Orders:
    """Orders of rows that are sorted by their runs, as orders of the rows as they stand.

    Claims whose rows stand in another order then permute the same runs in the same draw.
    """
    num_seeds, num_rows = orders.shape[1:]
    ranked = sorted(range(num_rows), key=lambda row: tuple(runs[row * num_seeds : (row + 1) * num_seeds]))
    orders_as_they_stand: Orders = np.array(ranked)[orders[:, :, np.argsort(ranked)]]
    return orders_as_they_stand


def of_curves(observed: Measured, chance: NDArray[np.float64], bounds: Bounds, runs: Sequence[str], kind: str) -> Null:
    """A claim about the shape of curves beside its surrogates.

    A surrogate holds where the rule does and chance makes as much in at most 5 % of the draws; of curves that move
    together or against, in half of that.

    Args:
        observed: (q, n).
        chance: (q, p, n), the numbers of the surrogates.
        bounds: Of each number.
        runs: Behind it.
        kind: Of the surrogates.
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
    """(p,), how far the least of q numbers (q, p) lies within the bounds."""
    low, high = bounds
    inside = [values - low] * math.isfinite(low) + [high - values] * math.isfinite(high)
    return np.min(inside, axis=(0, 1))


def on_side(margins: NDArray[np.float64], bounds: Bounds) -> NDArray[np.bool_]:
    """Whether numbers are on the side that is claimed; 0 has no sign."""
    return margins > 0 if bounds in (POSITIVE, NEGATIVE) else margins >= 0


def together(table: pd.DataFrame, nulls: Mapping[str, Null]) -> pd.DataFrame:
    """Counts of claims that hold beside those that chance would make hold, by item or later paper, and in all.

    Findings that are judged, that no other row implies, and whose labels can be permuted. In each of 10,000 draws all
    claims of a family are permuted alike, and families independently.

    Args:
        table: As of :func:`sharpest.claims.judge.judge`.
        nulls: By the id of the claim.

    Returns:
        A row an item, or a later paper, and one for ``all``: claims, holds, null_holds (mean), null_holds_high (95 % of
        the draws have at most so many), p_holds (share of draws with at least as many), and the same of as_claimed.
    """
    counted = table[table["id"].isin(list(nulls)) & is_counted(table)]
    rng = np.random.default_rng(0)
    families = {nulls[claim].family: len(nulls[claim].margins) for claim in counted["id"]}
    draws = {family: rng.integers(0, size, NUM_DRAWS) for family, size in families.items()}
    rows = []
    group = group_of(table)
    for name_of_group, ids in [*counted.groupby(group, sort=False)["id"], ("all", counted["id"])]:
        row: dict[str, object] = {group: name_of_group, "claims": len(ids)}
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
    """The column by which claims are counted together: ``paper`` for those of later papers, else ``item``."""
    return "paper" if "paper" in table else "item"


def is_counted(table: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows count: findings that are judged, and that no other row implies."""
    return (table["verdict"] != "not_judged") & (table["kind_of"] == "finding") & (table["implied_by"] == "")
