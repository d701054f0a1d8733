"""The paper's claims and the verdicts on them, from claims.csv."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sharpest.claims.ledger import VERDICTS
from sharpest.errors import StoreError
from sharpest.results.whole import present

_COLUMNS = (
    "item", "kind", "statement", "subject", "expected", "tolerance", "unit", "source", "value", "spread", "seeds",
    "verdict", "reason",
)  # fmt: skip
_TOLERANCES = {"factor": "within a factor of {:g}", "abs": "± {:g}", "rel": "± {:.0%}"}
_SIGNS = {"+": "above 0", "-": "below 0"}


@dataclass(frozen=True)
class JudgedClaim:
    """One row; numbers as the file has them."""

    item: str
    kind: str
    statement: str
    source: str
    runs: tuple[str, ...]
    expected: str
    unit: str
    value: str
    spread: str
    seeds: str
    verdict: str
    reason: str

    @property
    def about_size(self) -> bool:
        """Whether it is about one number."""
        return self.kind == "value"


@dataclass(frozen=True)
class Counts:
    """How many claims have which verdict."""

    holds: int
    fails: int
    inconclusive: int
    not_judged: int

    @property
    def total(self) -> int:
        return self.judged + self.inconclusive + self.not_judged

    @property
    def judged(self) -> int:
        """Claims with a yes or no."""
        return self.holds + self.fails


def count(claims: Iterable[JudgedClaim]) -> Counts:
    """Count verdicts."""
    verdicts = [claim.verdict for claim in claims]
    return Counts(**{verdict: verdicts.count(verdict) for verdict in VERDICTS})


def read_claims(path: Path) -> list[JudgedClaim]:
    """Read the ledger with its verdicts.

    Raises:
        StoreError: If the file is missing, lacks a column, or has an unknown verdict.
    """
    with present(path).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
            raise StoreError(f"{path}: lacks {', '.join(missing)}; delete it and run snakemake again")
        rows = list(reader)
    for line, row in enumerate(rows, start=2):
        if row["verdict"] not in VERDICTS:
            raise StoreError(f"{path}, row {line}: verdict {row['verdict']!r} should be one of {', '.join(VERDICTS)}")
    return [
        JudgedClaim(
            runs=tuple(run.strip() for run in row["subject"].split(";")),
            expected=_expectation(row["kind"], row["expected"], row["tolerance"], row["unit"]),
            **{name: row[name] for name in
               ("item", "kind", "statement", "source", "unit", "value", "spread", "seeds", "verdict", "reason")},
        )
        for row in rows
    ]  # fmt: skip


def _expectation(kind: str, expected: str, tolerance: str, unit: str) -> str:
    """What the claim expects, in words."""
    measured = f" {unit}" if unit else ""
    if kind == "value":
        name, _, size = tolerance.partition(":")
        return f"{expected}{measured}, {_TOLERANCES[name].format(float(size))}" if size else f"{expected}{measured}"
    if kind == "range":
        low, _, high = expected.partition("..")
        if low and high:
            return f"{low} to {high}{measured}"
        return f"at least {low}{measured}" if low else f"at most {high}{measured}"
    if kind == "order":
        return re.sub(r"\s*([<>])\s*", r" \1 ", expected)
    if kind == "sign":
        return _SIGNS.get(expected, expected)
    return expected.replace("-", " ")
