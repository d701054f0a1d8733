"""What the paper claims, beside what was measured."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from sharpest.config.studies import Study
from sharpest.results.whole import present

if TYPE_CHECKING:
    from sharpest.claims.ledger import Claim
    from sharpest.claims.plans import Plans
    from sharpest.claims.quantity import RunSource


@dataclass(frozen=True)
class Section:
    """A section of the paper.

    Attributes:
        title: Its number and topic, in our words.
        items: Its figures, tables and parts of the text, by their names in the ledger.
    """

    title: str
    items: tuple[str, ...]


SECTIONS = (
    Section("1 · Introduction", ("fig1",)),
    Section("2 · Setup", ("sec2",)),
    Section("3.1 · Largest eigenvalues along training", ("fig2", "fig3", "fig4")),
    Section("3.2 · The sharpest directions and the SGD step", ("fig5", "fig6", "sec3.2")),
    Section("3.3 · Steering by the sharpest direction", ("fig7",)),
    Section("4 · Nudged SGD", ("fig8", "tab1", "tab2", "sec4")),
    Section("A · More on the largest eigenvalues", ("fig9", "fig10", "fig11", "fig12", "fig13")),
    Section("B · More on the sharpest directions", ("fig14", "fig15", "fig16", "fig17", "fig18")),
    Section("C · More on Nudged SGD", ("fig19", "tab3", "tab4", "tab5", "tab6")),
    Section("E · Nudged SGD and Newton's step", ("fig20", "secE")),
    Section("F · Sentiment analysis on IMDB", ("fig21", "fig22", "tab7")),
)
"""The sections in the order of the paper; appendices by letter."""

CENTRAL = "sec3.2.alpha1."
"""Prefix of the ids of claims on the paper's central sentence: SGD's own step along e_1 would raise the loss."""

FIGURE = "fig"
"""Prefix of the names of the paper's figures."""
_NAMES = ((FIGURE, "Figure"), ("tab", "Table"), ("sec", "Section"))
_OF_PAPER = re.compile(r"(?:fig|tab)\w+|sec(?:\d+(?:\.\d+)*|[A-Z])")

MEASURES = {
    "spectral_norm_best": "Spectral norm, best",
    "spectral_norm_final": "Spectral norm, final",
    "frobenius_best": "Frobenius norm, best",
    "frobenius_final": "Frobenius norm, final",
    "frobenius_probe_best": "Probed norm, best",
    "frobenius_probe_final": "Probed norm, final",
    "test_acc": "Test accuracy, %",
    "val_acc_early": "Early validation accuracy, %",
    "loss_final": "Final loss",
    "dist": "Distance",
}
"""Column of a table's csv file -> its heading."""
ACCURACIES = ("test_acc", "val_acc_early")
"""Columns that are fractions in files and per cent in print."""


def title_of_paper(key: str) -> str:
    """The display name of a later paper: ``Andreyev 2024`` for ``andreyev2024``."""
    return re.sub(r"(?<=[a-z])(?=\d)", " ", key).capitalize()


def item_of(study: str) -> str:
    """The name of a figure or table in the ledger: ``fig6`` for ``fig06``."""
    return re.sub(r"^(fig|tab)0+(?=\d)", r"\1", study)


def title_of(item: str) -> str:
    """The display name of an item: ``Figure 6``, ``Section 3.2``, ``Appendix E``, ``Figure 4 without resnet``.

    Beyond the paper, the name in words: ``Batch sharpness`` for ``batch_sharpness``.
    """
    if not _OF_PAPER.fullmatch(item):
        return item.replace("_", " ").capitalize()
    for prefix, name in _NAMES:
        if item.startswith(prefix):
            number = item.removeprefix(prefix).replace("_", " ")
            return f"{'Appendix' if prefix == 'sec' and number[:1].isalpha() else name} {number}"
    return item


Nearness = Literal["near", "apart", "far"]

NEAR_FACTOR, APART_FACTOR = 1.25, 2.0
NEAR_POINTS, APART_POINTS = 2.0, 5.0


@dataclass(frozen=True)
class Cell:
    """One number; accuracies in per cent.

    Attributes:
        value: Mean over seeds; NaN = none.
        spread: Standard deviation over seeds; NaN = one seed.
        paper: The paper's number; NaN = the paper prints none.
        points: Whether the difference is in points; otherwise it is a factor.
    """

    value: float
    spread: float
    paper: float
    points: bool

    @property
    def difference(self) -> float:
        """Ours minus the paper's in points, or ours over the paper's; NaN if one is missing."""
        if self.points:
            return self.value - self.paper
        return self.value / self.paper if self.paper else math.nan

    @property
    def nearness(self) -> Nearness | None:
        """How far apart the two numbers are; None if one is missing."""
        if math.isnan(self.difference):
            return None
        if self.points:
            size, near, apart = abs(self.difference), NEAR_POINTS, APART_POINTS
        else:
            ratio = abs(self.difference)
            size, near, apart = max(ratio, 1 / ratio) if ratio else math.inf, NEAR_FACTOR, APART_FACTOR
        return "near" if size <= near else "apart" if size <= apart else "far"


@dataclass(frozen=True)
class Row:
    """Runs that differ only in their seed."""

    label: str
    cells: tuple[Cell, ...]
    seeds: int


@dataclass(frozen=True)
class Comparison:
    """All rows, with the headings of their cells."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_comparison(path: Path) -> Comparison:
    """Read the csv file of a table.

    Raises:
        StoreError: If the file is missing.
    """
    numbers = pd.read_csv(present(path), dtype={"row": str, "column": str})
    numbers = numbers.drop_duplicates(["row", "column"])  # keep the means, which precede the single seeds
    columns = tuple(dict.fromkeys(numbers["column"]))
    rows = []
    for label, group in numbers.groupby("row", sort=False):
        records = {str(record["column"]): record for record in group.to_dict("records")}
        cells = tuple(_cell(column, records[column]) for column in columns)
        rows.append(Row(str(label), cells, max(int(record["seeds"]) for record in records.values())))
    return Comparison(tuple(MEASURES.get(column, column.replace("_", " ")) for column in columns), tuple(rows))


def _cell(column: str, record: Mapping[object, float]) -> Cell:
    factor = 100 if column in ACCURACIES else 1
    value, spread, paper = (factor * float(record[name]) for name in ("value", "spread", "paper"))
    return Cell(value, spread, paper, points=column in ACCURACIES)


def answered_beside(study: Study, item: str, claims: Iterable[Claim], plans: Plans) -> list[Claim]:
    """The claims about other sections and tables that read only runs and schedules of a study.

    Args:
        study: The study.
        item: Its name in the ledger.
        claims: All claims.
        plans: What each claim reads.
    """
    runs = set(study.runs())
    measured = {(source.kind, source.run, source.schedule) for source in study.inputs()}

    def covers(source: RunSource) -> bool:
        taken = {(measure, source.run, schedule) for measure, schedule in source.schedules.items()}
        if source.parent is not None:
            taken.add(("spectra", source.parent, source.schedules["spectra"]))
        return source.run in runs and taken <= measured

    others = (claim for claim in claims if claim["item"] != item and not claim["item"].startswith(FIGURE))
    # leave out claims that need no run
    return [claim for claim in others if plans[claim.id] and all(map(covers, plans[claim.id]))]
