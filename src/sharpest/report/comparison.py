"""A table of the paper: its numbers, ours, and how far apart they are."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from sharpest.report.paper import ACCURACIES, MEASURES
from sharpest.results.whole import present

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
