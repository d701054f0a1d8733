rule train_run:
    """Train one run, a branch from its parent's snapshot; a killed job goes on from its last save."""
    input:
        data=data_of,
        parent=parent_of,
    output:
        snapshots=f"{RESULTS}/runs/{{run}}/snapshots.h5",
        history=f"{RESULTS}/runs/{{run}}/history.csv",
    log:
        f"{RESULTS}/logs/train/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{run}}.tsv"
    conda:
        "../../envs/sharpest.yaml"
    threads: PROJECT.scale.torch_threads
    resources:
        mem_mb=6000,
        runtime=grows(PROJECT.scale.time_limit),
        gpu=GPUS,
    params:
        settings=settings_of,
        code=training_code,
    script:
        "../scripts/train_run.py"
