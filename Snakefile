# sharpest: from data to every figure and table of the paper. Targets: figures, tables, all, or any single file.
from snakemake.utils import min_version

min_version("9.27")


# beside this file, wherever snakemake is started
configfile: f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/spectra.smk"
include: "workflow/rules/directions.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/tables.smk"


localrules:
    figures,
    tables,
    all,


rule figures:
    default_target: True
    input:
        figure_files(),


rule tables:
    input:
        table_files(),


rule all:
    input:
        rules.figures.input,
        rules.tables.input,
