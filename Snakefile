# sharpest: from data to every figure, table and claim of the paper.
# Targets: figures (the default: all that the paper has), beyond (what later papers add), all (both), tables, claims,
# report, first, or any single file.
import gc

from snakemake.utils import min_version

min_version("9.27")

# the code below creates many lasting objects and almost no garbage
gc.disable()


include: "workflow/rules/readable.smk"


# in the folder of this file, wherever snakemake is started
configfile: f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/common.smk"


# what came in a bundle is drawn, and nothing of it is made again
if not RULES.bundle:

    include: "workflow/rules/data.smk"
    include: "workflow/rules/train.smk"
    include: "workflow/rules/measure.smk"


include: "workflow/rules/figures.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/report.smk"


# planning creates few cycles among millions of objects; the default thresholds would search them thousands of times
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
    lift_default_limit(workflow.scheduler)
    # remote jobs and jobs on a GPU import their libraries themselves
    if workflow.local_exec and not RULES.gpu:
        start_forkserver()


# an early result: add --prioritize first to another target
rule first:
    input:
        RULES.figure_files(
            [name for name in PROJECT.figures if name.startswith("fig06")]
        ),


rule tables:
    input:
        RULES.table_files(),


rule claims:
    input:
        RULES.verdict_files(PAPER),


# figures and verdicts on the claims of later papers
rule beyond:
    input:
        RULES.figure_files(PROJECT.beyond),
        RULES.verdict_files(BEYOND),


rule report:
    input:
        RULES.report_files(full=False),


# all that the paper has
rule figures:
    default_target: True
    input:
        RULES.figure_files(PROJECT.figures),
        rules.tables.input,
        rules.claims.input,
        rules.report.input,


rule all:
    input:
        rules.figures.input,
        rules.beyond.input,
        RULES.report_files(full=RULES.has_later),
