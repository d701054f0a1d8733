# Configuration, wildcards, and input functions shared by several rules.
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

try:
    from sharpest.config import architecture_module
    from sharpest.config.measures import declared, measuring_module, reading_module
    from sharpest.config.project import load_project
    from sharpest.data import data_module
    from sharpest.data.prepare import check_recorded
    from sharpest.errors import SharpestError
    from sharpest.pipeline.bundle.placed import (
        missing,
        read_bundle,
        stale,
        with_bundle,
    )
    from sharpest.pipeline.preconditions import check_formulas
    from sharpest.pipeline.preconditions import only_reads
    from sharpest.pipeline.fingerprint import fingerprint
    from sharpest.pipeline.forkserver import start as start_forkserver
    from sharpest.pipeline.planned import lend_package, remember_sources
    from sharpest.pipeline.preconditions import (
        check_dry_run,
        check_imported,
        check_records,
        check_variables,
        hold_folders,
    )
    from sharpest.pipeline.scheduling import lift_default_limit
    from sharpest.pipeline.wildcards import RUN, but, curves_pattern, one_of
    from sharpest.results.paths import BEYOND, PAPER, verdicts
    from sharpest.results.paths import Paths
    from sharpest.results.versions import check_folder, check_version
except ImportError as error:
    raise WorkflowError(
        f"{error}: the package sharpest is not installed; run 'make figures', which builds an environment with it, or "
        "'pip install -e .' in the folder of the Snakefile"
    )

SCRIPTS = Path(workflow.basedir) / "workflow/scripts"
if workflow.is_main_process:
    remember_sources(SCRIPTS.resolve())
lend_package(Path(workflow.basedir) / "src")

try:
    config |= with_bundle(config)
    PROJECT = load_project(config, Path(workflow.basedir) / "config")
except SharpestError as error:
    raise WorkflowError(str(error))
if workflow.is_main_process:
    logger.info(f"planning {PROJECT.contents()}")
for warning in PROJECT.warnings():
    logger.warning(warning)

SCALE = PROJECT.settings.scale
PATHS = Paths.of(SCALE)
# per job that trains or measures: Snakemake limits the sum on one machine, and passes it to Slurm as --gpus
GPU = (
    {"gpu": 1, "jobs_per_gpu": PROJECT.settings.jobs_per_gpu}
    if PROJECT.settings.device == "cuda"
    else {}
)
# made by sharpest import; no rule can make them
IMPORTED = [run for run in PROJECT.scale.runs if PROJECT.run(run).is_imported]
IMPORTED_DATA = {PROJECT.run(run).dataset_name for run in IMPORTED}

try:
    BUNDLE = read_bundle(PATHS)
    check_folder(PATHS)
    check_version(PATHS)
    check_recorded(
        {name: dataset.source for name, dataset in PROJECT.scale.datasets.items()},
        PATHS,
    )
    if workflow.is_main_process:
        check_formulas(
            {name: PROJECT.study(name) for name in (*PROJECT.figures, *PROJECT.beyond)}
        )
        if BUNDLE:
            for complaint in missing(BUNDLE, PATHS):
                raise WorkflowError(complaint)
            if line := stale(BUNDLE, PROJECT, SCRIPTS):
                logger.warning(line)
    check_records()
    check_variables()
    # dry runs, lists and jobs on other machines change no results here: they need neither a lock nor a writable folder
    if workflow.is_main_process and not only_reads(sys.argv):
        if workflow.output_settings.dryrun:
            check_dry_run()
        else:
            hold_folders(PATHS)
    check_imported(IMPORTED, PATHS)
except SharpestError as error:
    raise WorkflowError(str(error))

# figures that came drawn in a bundle
FINISHED = BUNDLE.finished if BUNDLE else ()


wildcard_constraints:
    run=RUN,
    schedule=one_of(PROJECT.scale.schedules),
    # <run>/<schedule> measured in shards
    curve=curves_pattern(*PROJECT.curves_by_shards()),
    shard=r"\d+",
    dataset=one_of(PROJECT.scale.datasets),
    figure=one_of([*PROJECT.figures, *PROJECT.beyond]),
    table=one_of(PROJECT.tables),


def grows(minutes):
    """A time limit in minutes that grows by ``minutes`` with each attempt."""
    return lambda wildcards, attempt: minutes * attempt


def figure_files(names):
    return [
        str(PATHS.figure(name, kind))
        for name in names
        for kind in ("pdf", "png", "csv")
    ]


def table_files():
    return [
        str(PATHS.table(name, kind))
        for name in PROJECT.tables
        for kind in ("csv", "md", "tex")
    ]


def verdict_files(ledger):
    """The files of verdicts on a ledger; none if it has no claims."""
    return [
        str(verdicts(PATHS, ledger, suffix))
        for suffix in ("csv", "by_chance.csv", "by_seed.csv", "md")
        if ledger in CLAIMS
    ]


def files_of_claims(wildcards):
    """All files that the claims of a ledger read."""
    ledger = wildcards.ledger
    return list(map(str, files_behind(CLAIMS[ledger], CLAIM_PLANS[ledger], PATHS)))


def code_of_claims(wildcards):
    """Fingerprint of judging a ledger, and of reading the files of its claims."""
    plans = CLAIM_PLANS[wildcards.ledger].values()
    measures = {
        measure
        for sources in plans
        for source in sources
        for measure in source.schedules
    }
    return code_behind("judge_claims.py", *map(reading_module, sorted(measures)))


def snapshots_of(wildcards):
    return str(PATHS.snapshots(wildcards.run))


def data_of(wildcards):
    return str(PATHS.data(PROJECT.run(wildcards.run).dataset_name))


def parent_of(wildcards):
    """Snapshots of the trunk of a branch; nothing for other runs."""
    branch = PROJECT.run(wildcards.run).branch
    return [str(PATHS.snapshots(branch.parent))] if branch else []


def segments_of(wildcards):
    """The points of a schedule by shard; only those of one shard if the job measures a shard."""
    segments = PROJECT.schedule(wildcards.run, wildcards.schedule).segments
    shard = getattr(wildcards, "shard", None)
    return segments if shard is None else [segments[int(shard)]]


def measure_settings_of(wildcards):
    """Settings of a measure in a schedule."""
    schedule = PROJECT.schedule(wildcards.run, wildcards.schedule)
    if wildcards.measure not in schedule.measures:
        raise WorkflowError(
            f"schedules.{wildcards.schedule} does not take {wildcards.measure}; add it to its measures"
        )
    return schedule.measures[wildcards.measure].model_dump(mode="json")


def needs_of(wildcards):
    """Measures that must be taken first, at the same points."""
    return list(declared(wildcards.measure).needs)


def files_needed(wildcards):
    return [
        str(PATHS.measured(measure, wildcards.run, wildcards.schedule))
        for measure in needs_of(wildcards)
    ]


def shards_of(wildcards):
    """The shards of a file."""
    run, _, schedule = wildcards.curve.rpartition("/")
    count = len(PROJECT.schedule(run, schedule).segments)
    return [
        str(PATHS.shard(wildcards.measure, run, schedule, shard))
        for shard in range(count)
    ]


def settings_of(wildcards):
    return PROJECT.run(wildcards.run).model_dump(mode="json")


def hessian_of(wildcards):
    return PROJECT.hessian(wildcards.run).model_dump(mode="json")


@cache
def code_behind(script, *entries):
    """Fingerprint of a script and of the modules it imports by name; cached, as many jobs share a few fingerprints."""
    return fingerprint(SCRIPTS / script, *entries)


def code_of(script, *entries):
    """The fingerprint of a script with the run's architecture and kind of data, as a function for params."""

    def code(wildcards):
        settings = PROJECT.run(wildcards.run)
        return code_behind(
            script,
            *entries,
            architecture_module(settings.model),
            data_module(settings.dataset.kind),
            *(["sharpest.trajectory.imported"] if settings.is_imported else []),
        )

    return code


def training_code(wildcards):
    """Fingerprint of training; only NSGD and other variants of the step use the eigensolver."""
    nudged = PROJECT.run(wildcards.run).nudge
    solver = ["sharpest.trajectory.eigenpairs"] if nudged else []
    return code_of("train_run.py", *solver)(wildcards)


def measuring_code(wildcards):
    """Fingerprint of a measure, and of reading the measures it needs."""
    entries = [measuring_module(wildcards.measure)]
    entries += [reading_module(measure) for measure in needs_of(wildcards)]
    return code_of("measure.py", *entries)(wildcards)


def files_of_study(name):
    """All files that a figure or table is made from."""
    files = []
    for source in PROJECT.study(name).inputs():
        if source.schedule is not None:
            files.append(PATHS.measured(source.kind, source.run, source.schedule))
        elif source.kind == "history":
            files.append(PATHS.history(source.run))
        else:
            files.append(PATHS.snapshots(source.run))
    return list(map(str, files))


def code_of_study(script, package, name):
    """Fingerprint of drawing or printing a study, of its settings class, and of reading its files."""
    study = PROJECT.study(name)
    measures = dict.fromkeys(
        source.kind for source in study.inputs() if source.schedule is not None
    )
    return code_behind(
        script,
        f"sharpest.{package}.{study.kind}",
        f"sharpest.config.studies.{study.kind}",
        *map(reading_module, measures),
    )


def caption_labels(wildcard):
    """Labels of a figure or table in Snakemake's own report; they do not affect staleness."""

    def labels(wildcards):
        name = getattr(wildcards, wildcard)
        return {wildcard: name, "caption": PROJECT.study(name).caption}

    return labels


def differences_of(study):
    """What differs from the paper in a figure or table: scale, data, reductions."""
    reductions = PROJECT.study_reductions(study)
    differences = (
        f"Replaced or reduced: {'; '.join(reductions)}."
        if reductions
        else "Nothing was replaced or reduced."
    )
    note = PROJECT.scale.notes.get(study, "")
    return f"Scale {SCALE}: {PROJECT.scale.description}. {differences} {note}".rstrip()


def foot_of(figure):
    """The line at the bottom of a figure."""
    scale = (
        f"{SCALE} scale, not a reproduction; "
        if PROJECT.study_reductions(figure)
        else ""
    )
    return f"{scale}details: {figure}.md"


def files_of_report(full):
    """All files that a report reads, as a function for input: without the target, nothing lists them."""
    return lambda wildcards: list(map(str, REPORTS[full].inputs(PATHS)))


def report_files(full):
    """A report and its record."""
    return [str(PATHS.report(full)), str(PATHS.made(PATHS.report(full)))]


def report_params(full):
    """The parameters of a report; the full one adds later papers."""
    return {
        **REPORTS[full].parts(),
        "folder": lambda wildcards, output: str(Path(output[0]).parent),
        "assets": assets_digest(),
        "code": code_behind(
            "write_report.py", *map(reading_module, REPORTS[full].measured())
        ),
    }
