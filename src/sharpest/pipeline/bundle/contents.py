"""What figures, tables, claims and the report of a scale are made from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sharpest.claims.ledger import Claim
from sharpest.claims.plans import files_behind, plan_claims
from sharpest.config.project import Project
from sharpest.config.scale_files import read_scale
from sharpest.config.study_files import BEYOND as STUDIES_BEYOND
from sharpest.config.study_files import PAPER as STUDIES
from sharpest.errors import StoreError
from sharpest.report.setup import setup_of
from sharpest.results.paths import BEYOND, PAPER, Paths, is_stored

OF_VECTORS = frozenset({"eigenvector_drift"})
"""Kinds of studies that draw eigenvectors themselves; such a figure comes drawn."""


@dataclass(frozen=True)
class Contents:
    """The files of a bundle; a study whose figure is not drawn again counts as its figure.

    Attributes:
        stored: HDF5 files that are read: data, states of runs, measures.
        records: Other files that are there as they are: histories, records of time, finished figures.
        finished: Names of the figures that come drawn.
        config: Files of the configuration that the scale reads.
    """

    stored: tuple[Path, ...]
    records: tuple[Path, ...]
    finished: tuple[str, ...]
    config: tuple[Path, ...]


def contents_of(project: Project, ledgers: Mapping[str, Sequence[Claim]]) -> Contents:
    """Find them.

    Args:
        project: The scale.
        ledgers: The claims by ledger.

    Raises:
        StoreError: If one is missing; names the first, and how to make all.
    """
    paths = Paths.of(project.settings.scale)
    plans = {ledger: plan_claims(claims, project) for ledger, claims in ledgers.items()}
    setup = setup_of(project, ledgers[PAPER], plans[PAPER], later_claims=bool(ledgers[BEYOND]))
    read = {path for ledger, claims in ledgers.items() for path in files_behind(claims, plans[ledger], paths)}
    read |= {*setup.inputs(paths)} - {*setup.made(paths)}
    folder = paths.snapshots("").parent  # of all runs
    runs = sorted({path.parent for path in read if folder in path.parents})
    finished = tuple(name for name, study in setup.studies.items() if study.kind in OF_VECTORS)
    stored = sorted({path for path in read if is_stored(path)} | {run / paths.snapshots("").name for run in runs})
    records = [run / paths.history("").name for run in runs]
    records += [paths.figure(name, suffix) for name in finished for suffix in ("csv", "pdf", "png", "md")]
    records += sorted({paths.made(record) for record in records})
    _check_there([*stored, *records], project)
    times = {record for times in setup.benchmarks(paths).values() for record in times}
    return Contents(
        stored=tuple(stored),
        records=(*records, *sorted(record for record in times if record.exists())),
        finished=finished,
        config=tuple(dict.fromkeys(_config(project))),
    )


def _check_there(files: Sequence[Path], project: Project) -> None:
    missing = [path for path in files if not path.exists()]
    if missing:
        raise StoreError(
            f"{missing[0]}: does not exist{f', as {len(missing) - 1} more' * (len(missing) > 1)}; make all with: "
            f"snakemake --cores all --config scale={project.settings.scale} -- all"
        )


def _config(project: Project) -> Iterator[Path]:
    """What is read where nothing is trained: scales, runs, studies, claims; not the page that a user edits."""
    for name in (project.settings.scale, "paper"):
        yield from (file.path for file in read_scale(project.folder / "scales", name))
    names = ("runs.tsv", Path(STUDIES).name, Path(STUDIES_BEYOND).name, "claims.csv")
    yield from (project.folder / name for name in names if (project.folder / name).exists())
    yield from sorted((project.folder / "claims").glob("*.csv"))
