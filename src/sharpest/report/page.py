"""The page of a report, and its rendering."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined
from markupsafe import Markup

from sharpest.claims.ledger import VERDICTS
from sharpest.report.ledger import Counts, JudgedClaim, LaterPaper, count
from sharpest.report.measured import Quality, Run
from sharpest.report.paper import Comparison


@dataclass(frozen=True)
class Item:
    """A figure, a table, or a part of the paper's text, with the claims about it.

    Attributes:
        name: Name in the ledger, such as ``fig6``.
        title: Display name, such as ``Figure 6``.
        caption: What is shown; empty for a part of the text.
        used: What was used where paper and code differ; may be empty.
        claims: The claims about it, in the order of the ledger.
        counts: Their verdicts.
        runs: The runs it shows.
        beside: Claims about other items that these runs, measured at the same points, answer as well.
    """

    name: str
    title: str
    caption: str
    used: str
    claims: tuple[JudgedClaim, ...]
    counts: Counts
    runs: tuple[str, ...]
    beside: tuple[JudgedClaim, ...] = ()

    @property
    def kind(self) -> str:
        """The first word of the title, such as ``Figure``."""
        return self.title.partition(" ")[0]

    @property
    def number(self) -> str:
        """The title without its first word, such as ``6``."""
        return self.title.partition(" ")[2]


@dataclass(frozen=True)
class Drawing:
    """A figure as an image.

    Attributes:
        source: Data URI of the image.
        width, height: Size in pixels.
        points: Number of plotted points.
        points_file: The csv file of the points, relative to the folder of the page.
        notes: Notes for the reader: points that are marked or left out, and differences from the paper.
    """

    source: str
    width: int
    height: int
    points: int
    points_file: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """A figure, and whether its curves are in the explorer."""

    item: Item
    drawing: Drawing
    explorable: bool


@dataclass(frozen=True)
class Table:
    """A table of the paper."""

    item: Item
    comparison: Comparison


@dataclass(frozen=True)
class SectionCounts:
    """The verdicts in a section of the paper, and the items of the section."""

    title: str
    items: tuple[Item, ...]
    counts: Counts


@dataclass(frozen=True)
class Chance:
    """Findings about an item that hold, or have their number as claimed: how many, and how many by chance."""

    title: str
    claims: int
    holds: int
    null_holds: float
    null_holds_high: float
    p_holds: float
    as_claimed: int
    null_as_claimed: float
    null_as_claimed_high: float
    p_as_claimed: float


@dataclass(frozen=True)
class StepsOfNet:
    """Claims on the change of the loss by steps along e_1, by scale of the step: half, one and two steps of SGD."""

    net: str
    claims: Mapping[str, JudgedClaim]


@dataclass(frozen=True)
class DataSet:
    """A data set of the paper, and the data used for it."""

    paper: str
    used: str
    origin: str
    sha256: str
    sizes: str


@dataclass(frozen=True)
class Origin:
    """One aspect of provenance: its values, and the number of files with each value."""

    what: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Departure:
    """Something that was replaced or reduced, and the items it affects."""

    note: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Page:
    """The whole page, from top to bottom."""

    scale: str
    description: str
    reproduction: bool
    counts: Counts
    findings: Mapping[str, Mapping[str, int]]
    chance: tuple[Chance, ...]
    against: tuple[JudgedClaim, ...]
    steps: tuple[StepsOfNet, ...]
    sections: tuple[SectionCounts, ...]
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    texts: tuple[Item, ...]
    beyond: tuple[Figure, ...]
    later: tuple[LaterPaper, ...]
    later_counts: Counts
    runs: tuple[Run, ...]
    datasets: tuple[DataSet, ...]
    qualities: tuple[Quality, ...]
    origins: tuple[Origin, ...]
    departures: tuple[Departure, ...]
    explorer: Mapping[str, Any]

    @property
    def items(self) -> list[Item]:
        """The figures, tables and parts of the text of the paper."""
        return [*(figure.item for figure in self.figures), *(table.item for table in self.tables), *self.texts]

    @property
    def of_paper(self) -> Counts:
        """Verdicts on the claims that the paper states in these words."""
        return count(claim for item in self.items for claim in item.claims if claim.ours != "yes")

    @property
    def num_points(self) -> int:
        """Number of measured points of all runs."""
        return sum(quality.points for quality in self.qualities)

    @property
    def num_products(self) -> int:
        """Number of Hessian-vector products of all measurements that count them."""
        return sum(quality.products or 0 for quality in self.qualities)

    @property
    def diverged(self) -> list[Run]:
        """The runs that diverged."""
        return [run for run in self.runs if run.diverged_epoch is not None]


_FOLDER = files("sharpest.report")
_TEMPLATE = "page.html.jinja"
_STYLES = ("vendor/uplot/uPlot.min.css", "page.css")
_SCRIPTS = ("vendor/uplot/uPlot.iife.min.js", "page.js")
_LICENCE = "vendor/uplot/LICENSE"


def render(page: Page) -> str:
    """The whole page; all text from files is escaped."""
    environment = Environment(
        loader=BaseLoader(), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "words": words, "trimmed": trimmed}
    environment.tests["missing"] = math.isnan
    return environment.from_string(_read(_TEMPLATE)).render(
        page=page,
        verdicts=VERDICTS,
        styles=Markup("\n".join(map(_read, _STYLES))),  # noqa: S704 - our own files, not text from results
        scripts=Markup("\n".join(map(_read, _SCRIPTS))),  # noqa: S704 - likewise
        licence=_read(_LICENCE),
    )


def assets_digest() -> str:
    """Sixteen hex digits that change with template, styles and scripts; a parameter of the rule."""
    digest = hashlib.sha256()
    for name in (_TEMPLATE, *_STYLES, *_SCRIPTS, _LICENCE):
        digest.update(_read(name).encode())
    return digest.hexdigest()[:16]


def _read(name: str) -> str:
    path: Traversable = _FOLDER.joinpath(name)
    return path.read_text(encoding="utf-8")


def number(value: float, digits: int = 3) -> str:
    """A number for display, with this many significant digits; a missing number is a dash."""
    if math.isnan(value):
        return "–"
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{decimals}f}".replace("-", "−")


def trimmed(text: str) -> str:
    """A number without trailing zeros: ``87.3`` for ``87.30``."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def words(text: str, digits: int = 3) -> str:
    """Format a text as ``number`` does if it is a number; return other text unchanged."""
    try:
        return trimmed(number(float(text), digits))
    except ValueError:
        return text
