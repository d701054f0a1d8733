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
        dataset=but(RULES.imported_data, one_of(PROJECT.scale.datasets)),
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=4000,
        runtime=grows(60),
    params:
        source=RULES.source,
        place=RULES.place,
        kind=RULES.kind_of_data,
        code=RULES.data_code,
    script:
        "../scripts/prepare_data.py"
