"""Print judged claims as Markdown."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sharpest import grids
from sharpest.claims.ledger import COLUMNS, VERDICTS
from sharpest.claims.null import group_of, is_counted
from sharpest.claims.quantities import quantity_of
from sharpest.claims.verdicts import LEVEL

ENOUGH_SEEDS = 3  # verdicts with fewer seeds are counted separately

_READING = (
    "Value ± standard error (between seeds or within the run) and 95 % interval. A claim holds if the whole interval "
    "agrees with it, fails if the whole interval contradicts it, and is inconclusive otherwise. p: the level at which "
    "the verdict stands. Null: the fraction of permutations of the labels, or of surrogates of the curves, in which "
    "the claim would hold. The value of an order is its decisive difference between neighbouring levels; that of a "
    "trend, the number in its rule. The rules are in docs/claims.md."
)
_COUNTED = (
    "Counts include the judged findings that no other row implies. Sanity checks, which show only that training and "
    "measurement work, are in the tables."
)


def read_judged(path: Path) -> pd.DataFrame:
    """Read the csv file of judged claims: number columns as numbers, empty texts as empty strings."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for name in table.columns.difference(["paper", *COLUMNS, "verdict", "as_claimed", "reason"]):
        table[name] = pd.to_numeric(table[name])
    return table


def headline(table: pd.DataFrame) -> pd.DataFrame:
    """Verdicts on findings that no other row implies.

    Args:
        table: Judged claims, as returned by ``sharpest.claims.judgement.judge``.

    Returns:
        One row each for findings with three seeds or more, for those with fewer, and for all after Holm's correction
        over all judged claims; columns ``holds``, ``fails`` and ``inconclusive``.
    """
    counted = table[is_counted(table)]
    enough = counted["seeds"] >= ENOUGH_SEEDS
    corrected = counted.assign(verdict=counted["verdict"].where(counted["p_holm"] <= LEVEL, "inconclusive"))
    groups = {
        f"{ENOUGH_SEEDS} seeds or more": counted[enough],
        "fewer seeds": counted[~enough],
        "all, after Holm's correction": corrected,
    }
    names = ["holds", "fails", "inconclusive"]
    return pd.DataFrame(
        {name: group["verdict"].value_counts().reindex(names, fill_value=0) for name, group in groups.items()}
    ).T


def markdown(table: pd.DataFrame, chance: pd.DataFrame, foot: str) -> str:
    """The headline, the counts expected by chance, and the claims of each figure, table and section or later paper.

    Args:
        table, chance: As returned by ``sharpest.claims.judgement.judge``.
        foot: What was replaced or reduced.
    """
    title = {"item": "the paper", "paper": "later papers"}[group_of(table)]
    parts = [f"# Claims of {title}", _READING, foot, _COUNTED, headline_table(table), "## Compared with chance"]
    parts.append(chance_table(chance))
    for names, claims in table.groupby(list(dict.fromkeys([group_of(table), "item"])), sort=False):
        parts += [f"## {', '.join(map(str, names))}", claims_table(claims)]
    used = table["quantity"].unique()
    parts += [
        "## Quantities",
        grids.markdown(["quantity", "definition"], [[name, quantity_of(name).definition] for name in used]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def headline_table(table: pd.DataFrame) -> str:
    """``headline`` as a Markdown table."""
    counts = headline(table)
    rows = [[str(name), *map(str, row)] for name, row in zip(counts.index, counts.to_numpy(), strict=True)]
    return grids.markdown(["findings", *(VERDICTS[name] for name in counts.columns)], rows)


def chance_table(chance: pd.DataFrame) -> str:
    """Claims that hold, and claims whose number is as claimed, with the counts expected by chance."""
    header = ["", "findings", "hold", "by chance (95 %)", "p", "as claimed", "by chance (95 %)", "p"]
    rows = [
        [
            str(row[group_of(chance)]),
            str(row["claims"]),
            *(
                cell
                for name in ("holds", "as_claimed")
                for cell in (
                    str(row[name]),
                    f"{row[f'null_{name}']:.1f} (at most {row[f'null_{name}_high']:.0f})",
                    f"{row[f'p_{name}']:.2g}",
                )
            ),
        ]
        for row in chance.to_dict("records")
    ]
    return grids.markdown(header, rows)


def claims_table(claims: pd.DataFrame) -> str:
    """Judged claims with their reasons, as a Markdown table."""
    rows = [
        [
            f"{claim['statement']} (`{claim['id']}`{_marks(claim)})",
            VERDICTS[claim["verdict"]] + (", one seed" if claim["seeds"] == 1 else ""),
            f"{claim['quantity']} {_number(claim['value'], claim['error'])} {claim['unit']}".rstrip(),
            _interval(claim["low"], claim["high"]),
            " ".join(filter(None, [claim["expected"], claim["tolerance"]])),
            _fraction(claim["p"]),
            _fraction(claim["null_holds"]),
            claim["reason"],
        ]
        for claim in claims.to_dict("records")
    ]
    return grids.markdown(["claim", "verdict", "value", "95 %", "expected", "p", "null", "why"], rows)


def _marks(claim: Mapping[Any, Any]) -> str:
    marks = ["ours"] * (claim["ours"] == "yes") + ["sanity"] * (claim["kind_of"] == "sanity")
    marks += [f"implied by `{claim['implied_by']}`"] * bool(claim["implied_by"])
    return "".join(f", {mark}" for mark in marks)


def _number(value: float, error: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.3g}" + ("" if math.isnan(error) else f" ± {error:.2g}")


def _interval(low: float, high: float) -> str:
    if math.isnan(low) or (math.isinf(low) and math.isinf(high)):
        return "–"
    return f"{low:.3g} to {high:.3g}"


def _fraction(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2g}"
