"""The ledgers of claims in a report."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sharpest.claims.ledger import VERDICTS
from sharpest.errors import StoreError
from sharpest.report.paper import CENTRAL, title_of_paper
from sharpest.results.whole import present

_KEPT = (
    "id", "item", "kind", "statement", "quantity", "facet", "source", "unit", "kind_of", "ours", "implied_by", "value",
    "error", "low", "high", "seeds", "verdict", "p", "null_holds", "reason",
)  # fmt: skip
_COLUMNS = (*_KEPT, "subject", "expected", "tolerance", "as_claimed")
_TOLERANCES = {"factor": "within a factor of {:g}", "abs": "± {:g}", "rel": "± {:.0%}"}
_SIGNS = {"+": "above 0", "-": "below 0"}


@dataclass(frozen=True)
class JudgedClaim:
    """One row of the csv file of verdicts; numbers as text.

    Attributes:
        against: Whether the result is against the paper; see ``against_paper``.
        paper: Key of the later paper that makes the claim; empty for the paper itself.
    """

    id: str
    item: str
    kind: str
    statement: str
    quantity: str
    facet: str
    source: str
    runs: tuple[str, ...]
    expected: str
    unit: str
    kind_of: str
    ours: str
    implied_by: str
    value: str
    error: str
    low: str
    high: str
    seeds: str
    verdict: str
    p: str
    null_holds: str
    reason: str
    against: bool
    paper: str = ""

    @property
    def interval(self) -> str:
        """The 95 % interval; empty if the error is unknown."""
        ends = [float(end or "nan") for end in (self.low, self.high)]
        if math.isnan(ends[0]) or all(map(math.isinf, ends)):
            return ""
        low, high = (f"{end:.3g}".replace("-", "−") for end in ends)
        return (
            f"at most {high}"
            if math.isinf(ends[0])
            else f"at least {low}"
            if math.isinf(ends[1])
            else f"{low} to {high}"
        )

    @property
    def marks(self) -> list[str]:
        """Remarks for the reader, printed after the source."""
        return [
            *["added by us"] * (self.ours == "yes"),
            *["sanity check, not a finding"] * (self.kind_of == "sanity"),
            *[f"implied by {self.implied_by}"] * bool(self.implied_by),
        ]

    @property
    def central(self) -> bool:
        """Whether the claim is about the paper's central sentence."""
        return self.id.startswith(CENTRAL)

    @property
    def about_size(self) -> bool:
        """Whether the claim states one number."""
        return self.kind == "value"


@dataclass(frozen=True)
class Counts:
    """Number of claims by verdict."""

    holds: int
    fails: int
    inconclusive: int
    not_judged: int

    @property
    def total(self) -> int:
        return self.judged + self.inconclusive + self.not_judged

    @property
    def judged(self) -> int:
        """Number of decided claims."""
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
            against=against_paper(row),
            paper=row.get("paper", ""),
            **{name: row[name] for name in _KEPT},
        )
        for row in rows
    ]


def against_paper(row: Mapping[str, str]) -> bool:
    """Whether the result on a judged claim is against the paper.

    It is if the claim fails, or if it is inconclusive and its number, ignoring the error, is not as claimed.
    """
    return row["verdict"] == "fails" or (row["verdict"] == "inconclusive" and row["as_claimed"] == "no")


def _expectation(kind: str, expected: str, tolerance: str, unit: str) -> str:
    """The expectation of a claim, in words."""
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


@dataclass(frozen=True)
class LaterPaper:
    """A later paper and its claims."""

    key: str
    title: str
    claims: tuple[JudgedClaim, ...]
    counts: Counts


def later_papers(claims: Iterable[JudgedClaim]) -> tuple[LaterPaper, ...]:
    """Group the claims by paper, in the order of the ledger."""
    by_paper: dict[str, list[JudgedClaim]] = {}
    for claim in claims:
        by_paper.setdefault(claim.paper, []).append(claim)
    return tuple(LaterPaper(key, title_of_paper(key), tuple(own), count(own)) for key, own in by_paper.items())
