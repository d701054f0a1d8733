"""The page as data: everything a report shows, read from files."""

import base64
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sharpest.config.sources.registry import SOURCES
from sharpest.config.studies.base import Curve, Study
from sharpest.errors import StoreError
from sharpest.report.comparison import Comparison, read_comparison
from sharpest.report.facts import Facts
from sharpest.report.files import Results, is_figure, present
from sharpest.report.ledger import Claim, Counts, count, read_claims
from sharpest.report.measured import (
    LambdaMax,
    Measured,
    Quality,
    add_up,
    read_directions,
    read_evaluation,
    read_spectrum,
)
from sharpest.report.paper import SECTIONS, item_of, title_of
from sharpest.report.trained import Run, read_run
from sharpest.results.data import DATA
from sharpest.results.file import open_stored
from sharpest.results.reviews import REVIEWS
from sharpest.results.tokens import TOKENS

_USED = "Used: "
_PNG = b"\x89PNG\r\n\x1a\n"
_LAYOUTS = {"images": DATA, "tokens": TOKENS, "reviews": REVIEWS}


@dataclass(frozen=True)
class Item:
    """A figure, a table, or a part of the paper's text, with the claims about it.

    Attributes:
        name: As the ledger has it, e.g. ``fig6``.
        title: For readers, e.g. ``Figure 6``.
        caption: What is shown; empty for a part of the text.
        used: What was used where paper and code differ; may be empty.
        claims: In the ledger's order.
        counts: Their verdicts.
        runs: Behind it.
    """

    name: str
    title: str
    caption: str
    used: str
    claims: tuple[Claim, ...]
    counts: Counts
    runs: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The first word of the title, e.g. ``Figure``."""
        return self.title.partition(" ")[0]

    @property
    def number(self) -> str:
        """The rest of it."""
        return self.title.partition(" ")[2]


@dataclass(frozen=True)
class Drawing:
    """A figure as an image.

    Attributes:
        source: A data URI.
        width, height: In pixels.
        points: How many are plotted.
        points_file: Where they are, from the folder of the page.
    """

    source: str
    width: int
    height: int
    points: int
    points_file: str


@dataclass(frozen=True)
class Figure:
    """A figure of the paper; whether its curves are in the explorer."""

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
    """The verdicts in a section of the paper, and the items they are about."""

    title: str
    items: tuple[Item, ...]
    counts: Counts


@dataclass(frozen=True)
class DataSet:
    """A data set of the paper, and what stands for it."""

    paper: str
    used: str
    origin: str
    sha256: str
    sizes: str


@dataclass(frozen=True)
class Cost:
    """Time of one kind of job; ``recorded`` of ``jobs`` have a record."""

    what: str
    jobs: int
    recorded: int
    seconds: float


@dataclass(frozen=True)
class Origin:
    """One fact about where files come from: its values, and how many files have each."""

    what: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Departure:
    """Something that was replaced or reduced, and the items it touches."""

    note: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Page:
    """All of it, from top to bottom."""

    scale: str
    description: str
    reproduction: bool
    counts: Counts
    sections: tuple[SectionCounts, ...]
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    texts: tuple[Item, ...]
    runs: tuple[Run, ...]
    datasets: tuple[DataSet, ...]
    costs: tuple[Cost, ...]
    qualities: tuple[Quality, ...]
    origins: tuple[Origin, ...]
    departures: tuple[Departure, ...]
    explorer: Mapping[str, Any]

    @property
    def items(self) -> list[Item]:
        """Figures, tables, parts of the text."""
        return [*(figure.item for figure in self.figures), *(table.item for table in self.tables), *self.texts]

    @property
    def num_points(self) -> int:
        """Measured points of all runs."""
        return sum(quality.points for quality in self.qualities)

    @property
    def num_products(self) -> int:
        """Hessian-vector products of all measurements that count them."""
        return sum(quality.products or 0 for quality in self.qualities)

    @property
    def diverged(self) -> list[Run]:
        """The runs that diverged."""
        return [run for run in self.runs if run.diverged_epoch is not None]


def build_page(facts: Facts, results: Results) -> Page:
    """Read all files behind a report.

    Args:
        facts: The configuration.
        results: Where the files are.

    Raises:
        StoreError: If a file is missing or is not what it should be; the message names it.
    """
    claims = read_claims(results.claims)
    items = {name: _study_item(name, study, claims) for name, study in facts.studies.items()}
    figures, tables = (
        {name: item for name, item in items.items() if is_figure(name) == kind} for kind in (True, False)
    )
    texts = _texts(claims, {item.name for item in items.values()}, facts.runs)
    spectra = {curve: read_spectrum(results.spectrum(*curve)) for curve in facts.spectra()}
    directions = [read_directions(results.directions(*curve)) for curve in facts.directions()]
    evaluations = [read_evaluation(results.evaluation(run)) for run in facts.evaluations()]
    runs = tuple(read_run(results.snapshots(run)) for run in facts.runs)
    panels = {name: _panels(title_of(item_of(name)), facts.studies[name]) for name in figures}
    departures = _departures(facts.reductions, items)
    measured: list[Measured] = [*(one for one, _ in spectra.values()), *directions, *evaluations]
    return Page(
        scale=facts.scale,
        description=facts.description,
        reproduction=facts.scale == "paper" and not departures,
        counts=count(claims),
        sections=_sections([*items.values(), *texts]),
        figures=tuple(
            Figure(item, _drawing(results.drawing(name), results.points(name)), bool(panels[name]))
            for name, item in figures.items()
        ),
        tables=tuple(Table(item, read_comparison(results.table(name))) for name, item in tables.items()),
        texts=texts,
        runs=runs,
        datasets=tuple(_dataset(results.data(name), *sources, runs) for name, sources in facts.sources.items()),
        costs=tuple(_cost(what, paths) for what, paths in results.benchmarks(facts).items()),
        qualities=(
            add_up("leading eigenpairs along training", [one for one, _ in spectra.values()]),
            add_up("steps along directions", directions),
            add_up("end points", evaluations),
        ),
        origins=_origins([*(run.origin for run in runs), *(one.origin for one in measured)]),
        departures=departures,
        explorer=_explorer(panels, {curve: values for curve, (_, values) in spectra.items()}),
    )


def _study_item(name: str, study: Study, claims: Sequence[Claim]) -> Item:
    caption, _, used = study.caption.partition(_USED)
    return _item(item_of(name), caption.strip(), used.strip(), study.runs(), claims)


def _item(name: str, caption: str, used: str, runs: Iterable[str], claims: Sequence[Claim]) -> Item:
    about = tuple(claim for claim in claims if claim.item == name)
    return Item(name, title_of(name), caption, used, about, count(about), tuple(dict.fromkeys(runs)))


def _texts(claims: Sequence[Claim], studies: Collection[str], known: Collection[str]) -> tuple[Item, ...]:
    """What the paper says in its text, about no figure or table that is made here."""
    # a claim that is about no run says so in the place of one
    runs = {
        name: [run for claim in claims if claim.item == name for run in claim.runs if run in known]
        for name in dict.fromkeys(claim.item for claim in claims if claim.item not in studies)
    }
    return tuple(_item(name, "", "", about, claims) for name, about in runs.items())


def _sections(items: Sequence[Item]) -> tuple[SectionCounts, ...]:
    """By section of the paper; what belongs to none comes last."""
    left = {item.name: item for item in items}
    groups = [(section.title, [left.pop(name) for name in section.items if name in left]) for section in SECTIONS]
    groups.append(("Beyond the paper", list(left.values())))
    return tuple(
        SectionCounts(title, tuple(group), count(claim for item in group for claim in item.claims))
        for title, group in groups
        if group
    )


def _drawing(image: Path, points: Path) -> Drawing:
    data = present(image).read_bytes()
    if data[: len(_PNG)] != _PNG:
        raise StoreError(f"{image}: is no PNG image; delete it and run snakemake again to make it anew")
    width, height = struct.unpack(">II", data[16:24])
    return Drawing(
        source=f"data:image/png;base64,{base64.b64encode(data).decode()}",
        width=width,
        height=height,
        points=len(pd.read_csv(present(points), usecols=["panel"])),
        points_file=f"figures/{points.name}",
    )


def _dataset(path: Path, paper: str, used: str, runs: Sequence[Run]) -> DataSet:
    source = SOURCES[used]
    with open_stored(path, _LAYOUTS[source.kind]) as file:
        facts = file.attributes
    settings = next(run.settings.dataset for run in runs if run.settings.dataset_name == path.stem)
    return DataSet(
        paper=SOURCES[paper].title,
        used=source.title,
        origin=facts["origin"],
        sha256=facts["sha256"],
        sizes=f"{settings.train:,} / {settings.val:,} / {settings.test:,} {settings.unit}",
    )


def _cost(what: str, paths: Sequence[Path]) -> Cost:
    recorded = [path for path in paths if path.exists()]
    seconds = sum(float(pd.read_csv(path, sep="\t", usecols=["s"])["s"].sum()) for path in recorded)
    return Cost(what, len(paths), len(recorded), seconds)


def _origins(files: Sequence[Mapping[str, Any]]) -> tuple[Origin, ...]:
    packages = [", ".join(f"{name} {version}" for name, version in facts["packages"].items()) for facts in files]
    days = [str(facts["created"])[:10] for facts in files]
    columns = {
        "Commit": [facts["git"] for facts in files],
        "Packages": packages,
        "Device": [facts["device"] for facts in files],
        "Threads of torch": [str(facts["torch_threads"]) for facts in files],
        "Written on": sorted(days),
    }
    return tuple(Origin(what, tuple(Counter(values).items())) for what, values in columns.items())


def _departures(reductions: Mapping[str, Sequence[str]], items: Mapping[str, Item]) -> tuple[Departure, ...]:
    """Each once; those that touch most come first."""
    notes = dict.fromkeys(note for notes in reductions.values() for note in notes)
    touched = [
        Departure(note, tuple(items[name] for name, notes in reductions.items() if note in notes)) for note in notes
    ]
    return tuple(sorted(touched, key=lambda departure: -len(departure.items)))


def _panels(title: str, study: Study) -> list[tuple[str, Sequence[Curve]]]:
    """The curves of a figure that can be explored together, with a name."""
    measured = {(file.run, file.schedule) for file in study.inputs() if file.kind == "spectra"}
    groups = [
        (
            f"{title}: {panel}" if panel else title,
            [curve for curve in curves if (curve.run, curve.schedule) in measured],
        )
        for panel, curves in study.groups()
    ]
    return [(name, curves) for name, curves in groups if curves]


def _explorer(
    panels: Mapping[str, Sequence[tuple[str, Sequence[Curve]]]], values: Mapping[tuple[str, str], LambdaMax]
) -> Mapping[str, Any]:
    """The curves of lambda_max, and the panels that show them, as the page's script wants them."""
    return {
        "panels": [
            {
                "item": item_of(name),
                "title": title,
                "curves": [
                    {"label": curve.label, "run": curve.run, "key": f"{curve.run}/{curve.schedule}"} for curve in curves
                ],
            }
            for name, group in panels.items()
            for title, curves in group
        ],
        "curves": {f"{run}/{schedule}": vars(curve) for (run, schedule), curve in values.items()},
    }
