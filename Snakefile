# sharpest: from data to every figure, table and claim of the paper.
# Targets: figures, tables, claims, beyond, report, all, first, or any single file.
import gc

from snakemake.utils import min_version

min_version("9.27")

# reading what follows makes many objects that stay, and next to no garbage
gc.disable()


include: "workflow/rules/readable.smk"


# beside this file, wherever snakemake is started
configfile: f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/common.smk"


# what came in a bundle is drawn, and nothing of it is made again
if not BUNDLE:

    include: "workflow/rules/data.smk"
    include: "workflow/rules/train.smk"
    include: "workflow/rules/measure.smk"


include: "workflow/rules/figures.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/messages.smk"


# and planning makes few cycles among millions of objects, which the usual thresholds would search for thousands of times
gc.freeze()
gc.set_threshold(200_000, 20, 100)
gc.enable()


localrules:
    figures,
    tables,
    claims,
    beyond,
    report,
    all,
    first,


onstart:
    lift_default_limit()
    # elsewhere, and on a GPU, a job imports its libraries itself
    if workflow.local_exec and not GPUS:
        start_forkserver()


rule figures:
    default_target: True
    input:
        figure_files(PROJECT.figures),


# with --prioritize first, beside another target, there is something to look at early
rule first:
    input:
        figure_files([name for name in PROJECT.figures if name.startswith("fig06")]),


rule tables:
    input:
        table_files(),


rule claims:
    input:
        verdict_files(PAPER),


# what later papers ask of the same runs: figures and verdicts
rule beyond:
    input:
        figure_files(PROJECT.beyond),
        verdict_files(BEYOND),


rule report:
    input:
        rules.write_report.output,


rule all:
    input:
        rules.figures.input,
        rules.tables.input,
        rules.claims.input,
        rules.beyond.input,
        rules.report.input,
