rule evaluate_run:
    """End points: best and last snapshot."""
    input:
        data=data_of,
        snapshots=snapshots_of,
        history=f"{RESULTS}/runs/{{run}}/history.csv",
    output:
        f"{RESULTS}/evaluations/{{run}}.h5",
    log:
        f"{RESULTS}/logs/evaluate/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{run}}.tsv"
    conda:
        "../../envs/sharpest.yaml"
    threads: PROJECT.scale.torch_threads
    resources:
        mem_mb=8000,
        runtime=grows(PROJECT.scale.time_limit),
        gpu=GPUS,
    params:
        evaluation=lambda wildcards: PROJECT.evaluation(wildcards.run).model_dump(
            mode="json"
        ),
        hessian=hessian_of,
        code=code_of("evaluate_run.py"),
    script:
        "../scripts/evaluate_run.py"
