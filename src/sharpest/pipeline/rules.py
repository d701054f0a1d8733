"""The functions behind the rules of the workflow: what a job reads, its parameters, and its code; wildcard patterns.

A method that takes ``wildcards`` is an input or parameter function of Snakemake. Snakemake does not record a parameter
that also takes ``output``, so such a parameter makes nothing stale.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, cached_property
from logging import Logger
from pathlib import Path
from typing import Any

from sharpest.claims.ledger import Claim, read_ledgers
from sharpest.claims.plans import plan_claims, with_new_seeds
from sharpest.config import architecture_module
from sharpest.config.measures import declared, declaring_module, measuring_module
from sharpest.config.project import Project, load_project
from sharpest.config.schedule import Schedule
from sharpest.config.studies import Input, settings_of
from sharpest.data import data_module
from sharpest.data.prepare import check_recorded
from sharpest.data.sources import code_of_source
from sharpest.errors import StoreError
from sharpest.pipeline.fingerprint import fingerprint, modules_of
from sharpest.pipeline.needs import DATA, Needs, files_of_report
from sharpest.pipeline.placed import Bundle, missing, read_bundle, stale, with_bundle
from sharpest.pipeline.planned import lend_package, remember_sources
from sharpest.pipeline.preconditions import (
    check_dry_run,
    check_formulas,
    check_imported,
    check_records,
    check_variables,
    hold_folders,
    only_reads,
)
from sharpest.report.page import assets_digest
from sharpest.report.setup import Setup, setup_of
from sharpest.results.paths import BEYOND, PAPER, Paths, verdicts
from sharpest.results.versions import check_folder, check_version

_code = cache(fingerprint)  # many jobs share a few fingerprints
_CHEAP = {
    "draw_figure.py": ("sharpest.figures", "sharpest.config.studies"),
    "write_table.py": ("sharpest.tables", "sharpest.config.studies"),
    "judge_claims.py": (),
    "write_report.py": (),
}
"""Scripts that take seconds, with the packages that they import from by a name in their settings."""


class Rules:
    """The functions of the rules of a scale.

    Args:
        project: The project.
        ledgers: Ledger -> its claims; that of later papers counts only if it has claims.
        scripts: The folder of the scripts.
        bundle: What came in a bundle; None if the results are made here.
    """

    def __init__(
        self,
        project: Project,
        ledgers: Mapping[str, Sequence[Claim]],
        scripts: Path,
        bundle: Bundle | None = None,
    ) -> None:
        self.project, self._scripts, self.bundle = project, scripts, bundle
        self.scale = project.settings.scale
        self.paths = Paths.of(self.scale)
        self._needs = Needs(project, self.paths)
        self.claims = {ledger: claims for ledger, claims in ledgers.items() if claims or ledger == PAPER}
        self._plans = {ledger: plan_claims(claims, project) for ledger, claims in self.claims.items()}
        # made by sharpest import; no rule can make them
        self.imported = [run for run in project.scale.runs if project.run(run).is_imported]
        self.imported_data = {project.run(run).dataset_name for run in self.imported}
        # of a job that trains or measures: Snakemake limits the sum on one machine, and passes it to Slurm as --gpus
        gpu = {"gpu": 1, "jobs_per_gpu": project.settings.jobs_per_gpu}
        self.gpu = gpu if project.settings.device == "cuda" else {}

    # --- targets

    @property
    def finished(self) -> Sequence[str]:
        """Figures that came drawn in a bundle."""
        return self.bundle.finished if self.bundle else ()

    def cheap_code(self, script: str) -> str:
        """The fingerprint of a script that takes seconds: one for all its jobs, with all measures that are read."""
        named = [module for package in _CHEAP[script] for module in modules_of(package)]
        return _code(self._scripts / script, *named, *map(declaring_module, self._measures))

    @cached_property
    def _measures(self) -> list[str]:
        """The measures that a study or a claim reads."""
        studies = map(self.project.study, self.project.studies)
        of_studies = {source.kind for study in studies for source in study.inputs() if source.schedule is not None}
        plans = (sources for plans in self._plans.values() for sources in plans.values())
        return sorted(of_studies | {measure for sources in plans for source in sources for measure in source.schedules})

    def figure_files(self, names: Iterable[str]) -> list[str]:
        """The files of figures that a target asks for."""
        return [str(self.paths.figure(name, kind)) for name in names for kind in ("pdf", "png", "csv")]

    def table_files(self) -> list[str]:
        """The files of all tables."""
        return [str(self.paths.table(name, kind)) for name in self.project.tables for kind in ("csv", "md", "tex")]

    def verdict_files(self, ledger: str) -> list[str]:
        """The files of verdicts on a ledger; none if it has no claims."""
        suffixes = ("csv", "by_chance.csv", "by_seed.csv", "md") if ledger in self.claims else ()
        return [str(verdicts(self.paths, ledger, suffix)) for suffix in suffixes]

    def report_files(self, full: bool) -> list[str]:
        """A report and its record."""
        return [str(self.paths.report(full)), str(self.paths.made(self.paths.report(full)))]

    # --- data, training, measuring

    def source(self, wildcards: Any) -> str:
        """The source of a data set."""
        return self.project.scale.datasets[wildcards.dataset].source

    def kind_of_data(self, wildcards: Any) -> str:
        """The kind of a data set."""
        return self.project.scale.datasets[wildcards.dataset].kind

    def place(self, wildcards: Any, output: Any) -> dict[str, Any]:
        """Where the files of a source lie; another place of the same data makes nothing stale."""
        return self.project.place(self.source(wildcards))

    def data_code(self, wildcards: Any) -> str:
        """Fingerprint of decoding a data set."""
        source = code_of_source(self.kind_of_data(wildcards), self.source(wildcards))
        return _code(self._scripts / "prepare_data.py", *source)

    def data(self, wildcards: Any) -> str:
        """The data set of a run."""
        return str(self._needs.path(Input(DATA, wildcards.run, None)))

    def parent(self, wildcards: Any) -> list[str]:
        """States of the trunk of a branch; nothing for other runs."""
        return self._before(Input("snapshots", wildcards.run, None), only="snapshots")

    def snapshots(self, wildcards: Any) -> str:
        """States of a run."""
        return str(self.paths.snapshots(wildcards.run))

    def needed(self, wildcards: Any) -> list[str]:
        """Files of the measures that a measure needs at the same points."""
        source = Input(wildcards.measure, wildcards.run, wildcards.schedule)
        return [path for need in declared(source.kind).needs for path in self._before(source, only=need)]

    def _before(self, source: Input, only: str) -> list[str]:
        return [str(self._needs.path(each)) for each in self._needs.before(source) if each.kind == only]

    def shards(self, wildcards: Any) -> list[str]:
        """The shards of a file."""
        run, _, schedule = wildcards.curve.rpartition("/")
        count = len(self.project.schedule(run, schedule).segments)
        return [str(self.paths.shard(wildcards.measure, run, schedule, number)) for number in range(count)]

    def settings(self, wildcards: Any) -> dict[str, Any]:
        """Settings of a run."""
        return self.project.run(wildcards.run).model_dump(mode="json")

    def hessian(self, wildcards: Any) -> dict[str, Any]:
        """Settings of the Hessian that is measured on a run."""
        return self.project.hessian(wildcards.run).model_dump(mode="json")

    def hessian_note(self, wildcards: Any, output: Any) -> dict[str, Any]:
        """The same, as a note for readers of a run: another Hessian trains nothing again."""
        return self.hessian(wildcards)

    def reductions_note(self, wildcards: Any, output: Any) -> list[str]:
        """What was replaced or reduced in a run, as a note for readers."""
        return self.project.reductions([wildcards.run])

    def segments(self, wildcards: Any) -> list[list[int | str]]:
        """The points of a schedule by shard; only those of one shard if the job measures a shard."""
        segments = self._schedule(wildcards).segments
        shard = getattr(wildcards, "shard", None)
        return segments if shard is None else [segments[int(shard)]]

    def measure_settings(self, wildcards: Any) -> dict[str, Any]:
        """Settings of a measure in a schedule."""
        settings: dict[str, Any] = settings_of(wildcards.measure, self._schedule(wildcards)).model_dump(mode="json")
        return settings

    def _schedule(self, wildcards: Any) -> Schedule:
        return self.project.schedule(wildcards.run, wildcards.schedule)

    def training_code(self, wildcards: Any) -> str:
        """Fingerprint of training; only NSGD and other variants of the step use the eigensolver."""
        nudged = self.project.run(wildcards.run).nudge
        return self._run_code("train_run.py", wildcards.run, *["sharpest.trajectory.eigenpairs"] * bool(nudged))

    def measuring_code(self, wildcards: Any) -> str:
        """Fingerprint of a measure, and of reading the measures it needs."""
        needs = map(declaring_module, declared(wildcards.measure).needs)
        return self._run_code("measure.py", wildcards.run, measuring_module(wildcards.measure), *needs)

    def merging_code(self, wildcards: Any) -> str:
        """Fingerprint of merging shards of a measure."""
        return _code(self._scripts / "merge_shards.py", declaring_module(wildcards.measure))

    def _run_code(self, script: str, run: str, *entries: str) -> str:
        settings = self.project.run(run)
        entries += architecture_module(settings.model), data_module(settings.dataset.kind)
        return _code(self._scripts / script, *entries)

    # --- figures and tables

    def study_files(self, wildcards: Any) -> list[str]:
        """All files that a figure or table is made from."""
        return list(map(str, self._needs.of_study(_study(wildcards))))

    def figure_settings(self, wildcards: Any) -> dict[str, Any]:
        """Settings of a figure. Its caption is not drawn, so a changed one redraws nothing."""
        settings: dict[str, Any] = self.project.study(wildcards.figure).model_dump(mode="json", exclude={"caption"})
        return settings

    def table_settings(self, wildcards: Any) -> dict[str, Any]:
        """Settings of a table."""
        settings: dict[str, Any] = self.project.study(wildcards.table).model_dump(mode="json")
        return settings

    def windows(self, wildcards: Any) -> list[list[Any]]:
        """Run, schedule, and early window in epochs of each curve of a figure that has such a window."""
        return [
            [curve.run, curve.schedule, window]
            for curve in self.project.study(wildcards.figure).curves_by_seed()
            if (window := self.project.schedule(curve.run, curve.schedule).window)
        ]

    def differences(self, wildcards: Any) -> str:
        """What differs from the paper in a figure or table: scale, data, reductions."""
        study = _study(wildcards)
        reductions, note = self.project.study_reductions(study), self.project.scale.notes.get(study, "")
        what = f"Replaced or reduced: {'; '.join(reductions)}." if reductions else "Nothing was replaced or reduced."
        return f"{self.scale_line} {what} {note}".rstrip()

    def foot(self, wildcards: Any) -> str:
        """The line at the bottom of a figure."""
        reduced = self.project.study_reductions(wildcards.figure)
        scale = f"{self.scale} scale, not a reproduction; " if reduced else ""
        return f"{scale}details: {wildcards.figure}.md"

    @property
    def scale_line(self) -> str:
        """A sentence on the scale."""
        return f"Scale {self.scale}: {self.project.scale.description}."

    def labels(self, wildcards: Any) -> dict[str, str]:
        """Labels of a figure or table in Snakemake's own report; they do not affect staleness."""
        study = _study(wildcards)
        return {**dict(wildcards.items()), "caption": self.project.study(study).caption}

    # --- claims and reports

    def claim_files(self, wildcards: Any) -> list[str]:
        """All files that the claims of a ledger read."""
        ledger = wildcards.ledger
        return list(map(str, self._needs.of_claims(self.claims[ledger], self._plans[ledger])))

    def ledger(self, wildcards: Any) -> list[dict[str, str]]:
        """The rows of a ledger."""
        return [dict(claim.row) for claim in self.claims[wildcards.ledger]]

    def plans(self, wildcards: Any) -> dict[str, list[dict[str, Any]]]:
        """Id of a claim -> the runs it reads."""
        plans = self._plans[wildcards.ledger].items()
        return {claim: [source.model_dump(exclude_none=True) for source in sources] for claim, sources in plans}

    @property
    def has_later(self) -> bool:
        """Whether there are figures or claims beyond the paper."""
        return bool(self.project.beyond) or BEYOND in self.claims

    @cached_property
    def _reports(self) -> dict[bool, Setup]:
        """The reports: on the paper, and the full one with what later papers add."""
        project, claims, plans = self.project, self.claims[PAPER], self._plans[PAPER]
        of_paper = [name for name in project.studies if name not in project.beyond]
        return {
            False: setup_of(project, claims, plans, of_paper),
            True: setup_of(project, claims, plans, later_claims=BEYOND in self.claims),
        }

    def files_of_report(self, full: bool) -> Callable[[Any], list[str]]:
        """All files that a report reads, as a function for input: without the target, nothing lists them."""
        return lambda wildcards: list(map(str, files_of_report(self._reports[full], self.paths)))

    def report_params(self, full: bool) -> dict[str, Any]:
        """The parameters of a report."""
        return {
            **self._reports[full].parts(),
            "folder": lambda wildcards, output: str(Path(output[0]).parent),
            "assets": assets_digest(),
            "code": self.cheap_code("write_report.py"),
        }


def open_rules(config: dict[str, Any], root: Path, logger: Logger, plans: bool, is_dry: bool) -> Rules:
    """Read and check the configuration, the results that are there, and where Snakemake is to write.

    Args:
        config: The configuration that Snakemake has read; that of a bundle is added.
        root: The folder of the Snakefile.
        logger: For a line on the scale, and warnings.
        plans: Whether this process plans the jobs; otherwise it runs one of them.
        is_dry: Whether it plans only.

    Raises:
        SharpestError: In one line, with the remedy.
    """
    scripts = root / "workflow/scripts"
    if plans:
        remember_sources(scripts.resolve())
    lend_package(root / "src")
    config |= with_bundle(config)
    project = load_project(config, root / "config")
    if plans:
        logger.info(f"planning {project.contents()}")
    for warning in project.warnings():
        logger.warning(warning)
    bundle = _checked_results(project, scripts, logger, plans)
    check_records()
    check_variables()
    # dry runs, lists and jobs on other machines change no results here: they need neither a lock nor a writable folder
    if plans and not only_reads(sys.argv):
        if is_dry:
            check_dry_run()
        else:
            hold_folders(Paths.of(project.settings.scale))
    ledgers = {ledger: with_new_seeds(claims, project) for ledger, claims in read_ledgers(root / "config").items()}
    rules = Rules(project, ledgers, scripts, bundle)
    check_imported(rules.imported, rules.paths)
    return rules


def _checked_results(project: Project, scripts: Path, logger: Logger, plans: bool) -> Bundle | None:
    """Check the results that are there, and return the bundle they came in, if any."""
    paths = Paths.of(project.settings.scale)
    bundle = read_bundle(paths)
    check_folder(paths)
    check_version(paths)
    check_recorded({name: dataset.source for name, dataset in project.scale.datasets.items()}, paths)
    if plans:
        check_formulas({name: project.study(name) for name in (*project.figures, *project.beyond)})
    if plans and bundle:
        for complaint in missing(bundle, paths):
            raise StoreError(complaint)
        if line := stale(bundle, project, scripts):
            logger.warning(line)
    return bundle


def _study(wildcards: Any) -> str:
    """The figure or table of a job."""
    return str(wildcards.get("figure") or wildcards.table)


def grows(minutes: int) -> Callable[[Any, int], int]:
    """A time limit in minutes that grows by ``minutes`` with each attempt."""
    return lambda wildcards, attempt: minutes * attempt


# --- patterns; Snakemake matches them against every file, so they stay short for many runs

RUN = r"[^/]+-s\d+(?:@[^/]+/[^/]+)?"
"""Matches the form of a run id, including branches; whether the run exists is checked in the settings."""

_NOTHING = "(?!)"
_SEED = re.compile(r"(?<=-s)\d+(?=[@/])")


def one_of(names: Iterable[str]) -> str:
    """A pattern that matches only these names."""
    return "|".join(map(re.escape, names)) or _NOTHING


def but(names: Collection[str], pattern: str) -> str:
    """A pattern that matches what another one does, except some names."""
    return f"(?!(?:{one_of(names)})[/.])(?:{pattern})" if names else pattern


def curves_pattern(chosen: Collection[str], others: Iterable[str]) -> str:
    """A pattern for some ``<run>/<schedule>``, with one alternative for all that differ only in their seed.

    Args:
        chosen: Curves that must match.
        others: Curves that must not match.
    """
    mixed = {_of_any_seed(curve) for curve in others} if chosen else set()
    patterns = {re.escape(curve) if (any_seed := _of_any_seed(curve)) in mixed else any_seed for curve in chosen}
    return "|".join(sorted(patterns)) or _NOTHING


def _of_any_seed(curve: str) -> str:
    return r"\d+".join(map(re.escape, _SEED.split(curve)))
