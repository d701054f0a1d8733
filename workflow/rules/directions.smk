rule measure_directions:
    """Gradients, scaled steps and loss profiles along the eigenvectors of a spectrum."""
    input:
        data=data_of,
        snapshots=snapshots_of,
        spectrum=f"{RESULTS}/spectra/{{run}}/{{schedule}}.h5",
    output:
        f"{RESULTS}/directions/{{run}}/{{schedule}}.h5",
    log:
        f"{RESULTS}/logs/directions/{{run}}/{{schedule}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/directions/{{run}}/{{schedule}}.tsv"
    conda:
        "../../envs/sharpest.yaml"
    threads: PROJECT.scale.torch_threads
    resources:
        mem_mb=8000,
        runtime=grows(PROJECT.scale.time_limit),
        gpu=GPUS,
    params:
        segments=segments_of,
        directions=lambda wildcards: PROJECT.schedule(
            wildcards.schedule
        ).directions.model_dump(mode="json"),
        measurement=measurement_of,
        chunk_size=lambda wildcards: PROJECT.hessian(wildcards.run).chunk_size,
        code=code_of("measure_directions.py"),
    script:
        "../scripts/measure_directions.py"


use rule measure_directions as measure_directions_shard with:
    output:
        temp(f"{RESULTS}/shards/directions/{{run}}/{{schedule}}/{{shard}}.h5"),
    log:
        f"{RESULTS}/logs/shards/directions/{{run}}/{{schedule}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/shards/directions/{{run}}/{{schedule}}/{{shard}}.tsv"


rule merge_directions:
    """Directions from their shards, as one job would have measured them."""
    input:
        shards_of("directions"),
    output:
        f"{RESULTS}/directions/{{curve}}.h5",
    log:
        f"{RESULTS}/logs/directions/{{curve}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/directions/{{curve}}.tsv"
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(60),
    params:
        layout="directions",
        code=code_behind("merge_shards.py"),
    script:
        "../scripts/merge_shards.py"


# a curve is measured by one job, unless its schedule cuts it into shards
ruleorder: merge_directions > measure_directions
