"""Copy finished figures, tables and verdicts into the gallery of the docs, and update its pages."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from sharpest.claims.ledger import Claim
from sharpest.config.project import Project
from sharpest.errors import ConfigError
from sharpest.pipeline.gallery.entry import collect, judge_measured
from sharpest.pipeline.gallery.page import pages
from sharpest.pipeline.gallery.verdicts import CLAIMS, collect_claims
from sharpest.results.paths import BEYOND, PAPER, Paths

GALLERY = Path("docs/gallery")
SCRIPTS = Path("workflow/scripts")


def keep(
    project: Project, ledgers: Mapping[str, Sequence[Claim]], studies: Sequence[str], options: Sequence[str]
) -> None:
    """Copy finished studies of a scale into the gallery, and write its pages.

    Args:
        project: The project.
        ledgers: Ledger -> its claims.
        studies: Names of finished figures and tables, or ``claims``; if empty, only the pages are updated.
        options: Options of snakemake that chose scale and data.

    Raises:
        ConfigError: If a study does not exist.
        StoreError: If a file behind a study is missing or damaged.
    """
    paths = Paths.of(project.settings.scale)
    judged = cache(lambda ledger: judge_measured(project, ledgers[ledger], paths))
    for study in studies:
        if study == CLAIMS:
            collect_claims(paths, GALLERY)
            continue
        if study not in project.studies:
            raise ConfigError(f"unknown figure or table {study!r}; known: {CLAIMS}, {', '.join(project.studies)}")
        ledger = BEYOND if study in project.beyond else PAPER
        target = paths.table(study, "csv") if project.studies[study].is_table else paths.figure(study, "png")
        command = " ".join(["snakemake --cores 2", str(target), *options])
        collect(project, ledgers[ledger], judged(ledger), study, paths, SCRIPTS, command, GALLERY)
    for path, text in pages(GALLERY, SCRIPTS, ledgers[PAPER]).items():
        path.write_text(text, encoding="utf-8")
