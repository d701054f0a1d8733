"""Build the page from the results of a scale."""

import base64
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from sharpest.claims.report import headline, read_judged
from sharpest.config.measures import declared
from sharpest.config.run_id import RunId
from sharpest.config.sources import SOURCES
from sharpest.config.studies import Curve, Study
from sharpest.measures.spectra import Spectra
from sharpest.report.ledger import JudgedClaim, count, later_papers, read_claims
from sharpest.report.measured import LambdaMax, Run, add_up, lambda_max_of, summary_of, trained_run
from sharpest.report.page import (
    Chance,
    DataSet,
    Departure,
    Drawing,
    Figure,
    Item,
    Origin,
    Page,
    SectionCounts,
    StepsOfNet,
    Table,
)
from sharpest.report.paper import SECTIONS, item_of, read_comparison, title_of
from sharpest.report.setup import Setup
from sharpest.results.datasets import data_layout
from sharpest.results.file import attributes_of
from sharpest.results.paths import BEYOND, PAPER, Paths, verdicts
from sharpest.results.record import check_identity
from sharpest.results.runs import Results
from sharpest.results.stored import reader_of

_USED = "Used: "


def build_page(setup: Setup, results: Results) -> Page:
    """Read all results that a report shows.

    Args:
        setup: The configuration.
        results: The results of the scale.

    Raises:
        StoreError: If a file is missing or has the wrong content; the message names it.
    """
    paths = _checked(setup, results)
    claims = read_claims(verdicts(paths, PAPER, "csv"))
    later = read_claims(verdicts(paths, BEYOND, "csv")) if setup.later_claims else []
    all_items = _study_items(setup, claims, later)
    items = {name: item for name, item in all_items.items() if name not in setup.beyond}
    drawn = [name for name, study in setup.studies.items() if not study.is_table]
    texts = _texts(claims, {item.name for item in items.values()}, setup.runs)
    measured = {
        measure: [summary_of(results[run].read(reader_of(measure), schedule)) for run, schedule in curves]
        for measure, curves in setup.measured().items()
    }
    runs = tuple(trained_run(results[run].snapshots) for run in setup.runs)
    panels = {name: _panels(title_of(item_of(name)), setup.studies[name]) for name in drawn}
    figures = {name: Figure(all_items[name], _drawing(paths, name), bool(panels[name])) for name in drawn}
    departures = _departures({name: notes for name, notes in setup.reductions.items() if name in items}, items)
    files = [file for group in measured.values() for file in group]
    return Page(
        scale=setup.scale,
        description=setup.description,
        reproduction=setup.scale == "paper" and not departures,
        counts=count(claims),
        findings=_findings(verdicts(paths, PAPER, "csv")),
        chance=_chance(verdicts(paths, PAPER, "by_chance.csv")),
        against=tuple(sorted((claim for claim in claims if claim.against), key=lambda claim: not claim.central)),
        steps=_steps(claims),
        sections=_sections([*items.values(), *texts]),
        figures=tuple(figure for name, figure in figures.items() if name in items),
        tables=_tables(paths, {name: item for name, item in items.items() if name not in figures}),
        texts=texts,
        beyond=tuple(figure for name, figure in figures.items() if name in setup.beyond),
        later=later_papers(later),
        later_counts=count(later),
        runs=runs,
        datasets=tuple(_dataset(paths.data(name), *sources, runs) for name, sources in setup.sources.items()),
        qualities=tuple(add_up(declared(measure).title, group) for measure, group in measured.items()),
        origins=_origins([*(run.origin for run in runs), *(file.origin for file in files)]),
        departures=departures,
        explorer=_explorer(panels, _largest_eigenvalues(setup, results)),
    )


def _checked(setup: Setup, results: Results) -> Paths:
    """The paths of the results, after checking that no figure, table or verdict has changed since it was written."""
    for path in setup.made(results.paths):
        results.checked(path)
    return results.paths


def _study_items(setup: Setup, claims: Sequence[JudgedClaim], later: Sequence[JudgedClaim]) -> dict[str, Item]:
    """Study -> its item, with the claims of the paper or of later papers about it."""
    return {
        name: _study_item(name, study, later if name in setup.beyond else claims, setup.beside[name])
        for name, study in setup.studies.items()
    }


def _tables(paths: Paths, items: Mapping[str, Item]) -> tuple[Table, ...]:
    return tuple(Table(item, read_comparison(paths.table(name, "csv"))) for name, item in items.items())


def _largest_eigenvalues(setup: Setup, results: Results) -> dict[tuple[str, str], LambdaMax]:
    """Run and schedule -> the largest eigenvalue along training."""
    curves = setup.measured().get("spectra", [])
    return {curve: lambda_max_of(results[curve[0]].read(Spectra, curve[1])) for curve in curves}


def _study_item(name: str, study: Study, claims: Sequence[JudgedClaim], beside: Collection[str]) -> Item:
    caption, _, used = study.caption.partition(_USED)
    item = _item(item_of(name), caption.strip(), used.strip(), study.runs(), claims)
    return replace(item, beside=tuple(claim for claim in claims if claim.id in beside))


def _findings(path: Path) -> dict[str, dict[str, int]]:
    counts = headline(read_judged(path))
    return {
        str(name): {str(verdict): int(number) for verdict, number in row.items()} for name, row in counts.iterrows()
    }


def _chance(path: Path) -> tuple[Chance, ...]:
    table = pd.read_csv(path)
    titles = ["All" if item == "all" else title_of(item) for item in table["item"]]
    return tuple(map(Chance, titles, *(table[each.name] for each in fields(Chance)[1:])))


def _steps(claims: Sequence[JudgedClaim]) -> tuple[StepsOfNet, ...]:
    """For each claim on the paper's central sentence, the claims on all scales of the step of its runs along e_1."""
    return tuple(
        StepsOfNet(
            ", ".join(central.runs),
            {
                claim.facet: claim
                for claim in claims
                if (claim.quantity, claim.kind, claim.runs) == (central.quantity, central.kind, central.runs)
            },
        )
        for central in claims
        if central.central
    )


def _item(name: str, caption: str, used: str, runs: Iterable[str], claims: Sequence[JudgedClaim]) -> Item:
    about = tuple(claim for claim in claims if claim.item == name)
    return Item(name, title_of(name), caption, used, about, count(about), tuple(dict.fromkeys(runs)))


def _texts(claims: Sequence[JudgedClaim], studies: Collection[str], known: Collection[str]) -> tuple[Item, ...]:
    """The items of claims about the text of the paper, and about figures and tables that are not made."""
    # the subject of a claim that needs no run is not a run
    runs = {
        name: [run for claim in claims if claim.item == name for run in claim.runs if run in known]
        for name in dict.fromkeys(claim.item for claim in claims if claim.item not in studies)
    }
    return tuple(_item(name, "", "", about, claims) for name, about in runs.items())


def _sections(items: Sequence[Item]) -> tuple[SectionCounts, ...]:
    """Group the items by section of the paper; items in no section come last."""
    remaining = {item.name: item for item in items}
    groups = [
        (section.title, [remaining.pop(name) for name in section.items if name in remaining]) for section in SECTIONS
    ]
    groups.append(("In no section", list(remaining.values())))
    return tuple(
        SectionCounts(title, tuple(group), count(claim for item in group for claim in item.claims))
        for title, group in groups
        if group
    )


def _drawing(paths: Paths, name: str) -> Drawing:
    image, points = paths.figure(name, "png"), paths.figure(name, "csv")
    data = image.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    return Drawing(
        source=f"data:image/png;base64,{base64.b64encode(data).decode()}",
        width=width,
        height=height,
        points=len(pd.read_csv(points, usecols=["panel"])),
        points_file=points.relative_to(paths.report().parent).as_posix(),
        notes=tuple(paths.figure(name, "md").read_text(encoding="utf-8").strip().split("\n\n")[1:]),
    )


def _dataset(path: Path, paper: str, used: str, runs: Sequence[Run]) -> DataSet:
    source = SOURCES[used]
    attributes = attributes_of(path, data_layout(source.kind))
    check_identity(path, attributes, {"dataset": used})
    settings = next(run.settings.dataset for run in runs if run.settings.dataset_name == path.stem)
    return DataSet(
        paper=SOURCES[paper].title,
        used=source.title,
        origin=attributes["origin"],
        sha256=attributes["sha256"],
        sizes=f"{settings.train:,} / {settings.val:,} / {settings.test:,} {settings.unit}",
    )


def _origins(origins: Sequence[Mapping[str, Any]]) -> tuple[Origin, ...]:
    packages = [", ".join(f"{name} {version}" for name, version in origin["packages"].items()) for origin in origins]
    days = [str(origin["created"])[:10] for origin in origins]
    columns = {
        "Commit": [origin["git"] for origin in origins],
        "Packages": packages,
        "Device": [origin["device"] for origin in origins],
        "Threads of torch": [str(origin["torch_threads"]) for origin in origins],
        "Written on": sorted(days),
    }
    return tuple(Origin(what, tuple(Counter(values).items())) for what, values in columns.items())


def _departures(reductions: Mapping[str, Sequence[str]], items: Mapping[str, Item]) -> tuple[Departure, ...]:
    """Each departure once; those that affect the most items come first."""
    notes = dict.fromkeys(note for notes in reductions.values() for note in notes)
    departures = [
        Departure(note, tuple(items[name] for name, notes in reductions.items() if note in notes)) for note in notes
    ]
    return tuple(sorted(departures, key=lambda departure: -len(departure.items)))


def _panels(title: str, study: Study) -> list[tuple[str, Sequence[Curve]]]:
    """The panels of a figure in the explorer: name and curves."""
    explorable = {(source.run, source.schedule) for source in study.inputs() if source.kind == "spectra"}
    groups = [
        (group, [each for each in _by_seed(curves) if (each.run, each.schedule) in explorable])
        for group, curves in study.groups()
    ]
    return [(f"{title}: {group}" if group else title, curves) for group, curves in groups if curves]


def _by_seed(curves: Iterable[Curve]) -> Iterable[Curve]:
    """Split curves into one per run; the label names the seed if several runs share a label."""
    by_run = [each for curve in curves for each in curve.by_seed()]
    seeds = Counter(curve.label for curve in by_run)
    for curve in by_run:
        label = f"{curve.label}, seed {RunId.parse(curve.run).seed}"
        yield curve.model_copy(update={"label": label}) if seeds[curve.label] > 1 else curve


def _explorer(
    panels: Mapping[str, Sequence[tuple[str, Sequence[Curve]]]], values: Mapping[tuple[str, str], LambdaMax]
) -> Mapping[str, Any]:
    """The curves of lambda_max and the panels that show them, in the format of the page's script."""
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
