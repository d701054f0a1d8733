# Configuration and wildcards. The functions of the rules are in sharpest.pipeline.rules.
from pathlib import Path

from snakemake.exceptions import WorkflowError

try:
    from sharpest.config.measures import measure_names
    from sharpest.errors import SharpestError
    from sharpest.pipeline.forkserver import start as start_forkserver
    from sharpest.pipeline.messages import improve_messages, lift_default_limit
    from sharpest.pipeline.rules import (
        RUN,
        but,
        curves_pattern,
        grows,
        one_of,
        open_rules,
    )
    from sharpest.results.paths import BEYOND, PAPER, verdicts
except ImportError as error:
    raise WorkflowError(
        f"{error}: the package sharpest is not installed; run 'make figures', which builds an environment with it, or "
        "'pip install -e .' in the folder of the Snakefile"
    )

try:
    RULES = open_rules(
        config,
        Path(workflow.basedir),
        logger,
        plans=workflow.is_main_process,
        is_dry=workflow.is_main_process and workflow.output_settings.dryrun,
    )
except SharpestError as error:
    raise WorkflowError(str(error))

PROJECT, PATHS = RULES.project, RULES.paths
improve_messages(workflow, logger, RULES)


wildcard_constraints:
    run=RUN,
    schedule=one_of(PROJECT.scale.schedules),
    measure="|".join(measure_names()),
    # <run>/<schedule> measured in shards
    curve=curves_pattern(*PROJECT.curves_by_shards()),
    shard=r"\d+",
    dataset=one_of(PROJECT.scale.datasets),
    figure=one_of([*PROJECT.figures, *PROJECT.beyond]),
    table=one_of(PROJECT.tables),
    ledger=one_of(RULES.claims),
