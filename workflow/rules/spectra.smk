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
        runtime=1440,
    params:
        points=lambda wildcards: PROJECT.points(wildcards.run, wildcards.schedule),
        schedule=lambda wildcards: PROJECT.spectrum_settings(wildcards.schedule),
        hessian=hessian_of,
        measurement=measurement_of,
        code=code_of("measure_spectrum.py"),
    script:
        "../scripts/measure_spectrum.py"
