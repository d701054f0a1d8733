"""Print judged claims as Markdown."""

import math

import pandas as pd

from sharpest.claims.ledger import VERDICTS
from sharpest.claims.quantities import quantity_of

_READING = (
    "Value ± its standard error: over seeds, or of one seed from noise along its curves. A claim holds where it does "
    "over that whole range, fails where it does nowhere in it, and is inconclusive else, or where a run ended before "
    "what it asks for. One standard error is weak evidence: value over error says how strong it is. Of an order the "
    "value is the least difference between neighbouring levels, of a trend the number in its rule. The rules are in "
    "docs/claims.md."
)


def markdown(table: pd.DataFrame, foot: str) -> str:
    """Counts by figure, table and section; then the claims of each.

    Args:
        table: As :func:`sharpest.claims.judge.judge` gives it.
        foot: What was replaced or reduced.
    """
    counts = pd.crosstab(table["item"], table["verdict"]).reindex(columns=list(VERDICTS), fill_value=0)
    counts = counts.loc[table["item"].unique()]
    counts.loc["all"] = counts.sum()
    parts = ["# Claims of the paper", _READING, foot]
    rows = [[item, str(sum(row)), *map(str, row)] for item, row in zip(counts.index, counts.to_numpy(), strict=True)]
    parts.append(_grid(["", "claims", *VERDICTS.values()], rows))
    for item, claims in table.groupby("item", sort=False):
        parts += [f"## {item}", claims_table(claims)]
    used = table["quantity"].unique()
    parts += [
        "## Quantities",
        _grid(["quantity", "definition"], [[name, quantity_of(name).definition] for name in used]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def claims_table(claims: pd.DataFrame) -> str:
    """Judged claims with their reasons, as a table."""
    rows = [
        [
            f"{claim['statement']} (`{claim['id']}`)",
            VERDICTS[claim["verdict"]],
            f"{claim['quantity']} {_number(claim['value'], claim['spread'])} {claim['unit']}".rstrip(),
            " ".join(filter(None, [claim["expected"], claim["tolerance"]])),
            claim["reason"],
        ]
        for claim in claims.to_dict("records")
    ]
    return _grid(["claim", "verdict", "value", "expected", "why"], rows)


def _number(value: float, spread: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.3g}" + ("" if math.isnan(spread) else f" ± {spread:.2g}")


def _grid(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
