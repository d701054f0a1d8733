from sharpest.data.sources import code_of_source


# where snakemake runs: nodes of a cluster seldom reach the network
localrules:
    prepare_data,


rule prepare_data:
    """Find, verify and decode a data set."""
    output:
        str(PATHS.data("{dataset}")),
    log:
        str(PATHS.log("data", "{dataset}")),
    wildcard_constraints:
        dataset=but(IMPORTED_DATA, one_of(PROJECT.scale.datasets)),
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=4000,
        runtime=grows(60),
    params:
        source=lambda wildcards: PROJECT.scale.datasets[wildcards.dataset].source,
        # a function of output is not recorded, so a different location of the same data makes nothing stale
        place=lambda wildcards, output: PROJECT.place(
            PROJECT.scale.datasets[wildcards.dataset].source
        ),
        kind=lambda wildcards: PROJECT.scale.datasets[wildcards.dataset].kind,
        code=lambda wildcards: code_behind(
            "prepare_data.py",
            *code_of_source(
                PROJECT.scale.datasets[wildcards.dataset].kind,
                PROJECT.scale.datasets[wildcards.dataset].source,
            ),
        ),
    script:
        "../scripts/prepare_data.py"
