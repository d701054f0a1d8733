rule measure_spectrum:
    """Leading eigenpairs of the Hessian at the points of a schedule."""
    input:
        data=data_of,
        snapshots=snapshots_of,
    output:
        f"{RESULTS}/spectra/{{run}}/{{schedule}}.h5",
    log:
        f"{RESULTS}/logs/spectra/{{run}}/{{schedule}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/spectra/{{run}}/{{schedule}}.tsv"
    conda:
        "../../envs/sharpest.yaml"
    threads: PROJECT.scale.torch_threads
    resources:
        mem_mb=8000,
        runtime=grows(PROJECT.scale.time_limit),
        gpu=GPUS,
    params:
        segments=segments_of,
        schedule=lambda wildcards: PROJECT.spectrum_settings(wildcards.schedule),
        hessian=hessian_of,
        measurement=measurement_of,
        code=code_of("measure_spectrum.py"),
    script:
        "../scripts/measure_spectrum.py"


use rule measure_spectrum as measure_spectrum_shard with:
    output:
        temp(f"{RESULTS}/shards/spectra/{{run}}/{{schedule}}/{{shard}}.h5"),
    log:
        f"{RESULTS}/logs/shards/spectra/{{run}}/{{schedule}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/shards/spectra/{{run}}/{{schedule}}/{{shard}}.tsv"


rule merge_spectrum:
    """A spectrum from its shards, as one job would have measured it."""
    input:
        shards_of("spectra"),
    output:
        f"{RESULTS}/spectra/{{curve}}.h5",
    log:
        f"{RESULTS}/logs/spectra/{{curve}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/spectra/{{curve}}.tsv"
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(60),
    params:
        layout="spectrum",
        code=code_behind("merge_shards.py"),
    script:
        "../scripts/merge_shards.py"


# a curve is measured by one job, unless its schedule cuts it into shards
ruleorder: merge_spectrum > measure_spectrum
