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
        runtime=1440,
    params:
        points=lambda wildcards: PROJECT.points(wildcards.run, wildcards.schedule),
        directions=lambda wildcards: PROJECT.schedule(
            wildcards.schedule
        ).directions.model_dump(mode="json"),
        measurement=measurement_of,
        chunk_size=lambda wildcards: PROJECT.hessian(wildcards.run).chunk_size,
        code=code_of("measure_directions.py"),
    script:
        "../scripts/measure_directions.py"
