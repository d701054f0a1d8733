"""What each result is made from: the one answer for the rules, the report, bundles, the gallery and the forecast."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sharpest.claims.ledger import Claim
from sharpest.claims.plans import Plans
from sharpest.claims.quantities import quantity_of
from sharpest.config.measures import declared
from sharpest.config.project import Project
from sharpest.config.studies import RUN_FILES, Input
from sharpest.report.setup import Setup
from sharpest.results.paths import Paths

DATA = "data"
"""The kind of an input that is the data set of a run."""


@dataclass(frozen=True)
class Needs:
    """The graph of the files of a scale.

    Attributes:
        project: The project.
        paths: Paths of the scale.
    """

    project: Project
    paths: Paths

    def path(self, source: Input) -> Path:
        """The place of a file."""
        match source:
            case Input("data", run):
                return self.paths.data(self.project.run(run).dataset_name)
            case Input("snapshots", run):
                return self.paths.snapshots(run)
            case Input("history", run):
                return self.paths.history(run)
            case Input(measure, run, schedule):
                return self.paths.measured(measure, run, str(schedule))

    def before(self, source: Input) -> list[Input]:
        """What the job that makes a file reads: the data, then the trunk, or the states and the measures it needs."""
        if source.kind == DATA:
            return []
        data = Input(DATA, source.run, None)
        if source.kind in RUN_FILES:
            branch = self.project.run(source.run).branch
            return [data, *([Input("snapshots", branch.parent, None)] if branch else [])]
        needed = (Input(measure, source.run, source.schedule) for measure in declared(source.kind).needs)
        return [data, Input("snapshots", source.run, None), *needed]

    def of_study(self, name: str) -> list[Path]:
        """What a figure or table reads."""
        return list(map(self.path, self.project.study(name).inputs()))

    def of_claims(self, claims: Iterable[Claim], plans: Plans) -> list[Path]:
        """What the verdicts on some claims read."""
        return sorted(set(map(self.path, inputs_of_claims(claims, plans))))


def inputs_of_claims(claims: Iterable[Claim], plans: Plans) -> list[Input]:
    """What the verdicts on some claims read, each once."""
    sources = ((source, claim["quantity"]) for claim in claims for source in plans[claim.id])
    return list(dict.fromkeys(source.input(need) for source, name in sources for need in quantity_of(name).needs))


def files_of_report(setup: Setup, paths: Paths) -> list[Path]:
    """What a report reads: what it shows, and the files behind."""
    return [
        *setup.made(paths),
        *map(paths.data, setup.sources),
        *map(paths.snapshots, setup.runs),
        *(paths.measured(measure, *curve) for measure, curves in setup.measured().items() for curve in curves),
    ]


def times_of(setup: Setup, paths: Paths) -> dict[str, list[Path]]:
    """Kind of work -> the records of time of what is behind a report; nothing checks them, so it leaves them out."""
    return {
        "training": [paths.benchmark("train", run) for run in setup.runs],
        **{
            declared(measure).title: [paths.benchmark(measure, *curve) for curve in curves]
            for measure, curves in setup.measured().items()
        },
    }
