rule train_run:
    """Train one run, or a branch from a snapshot of its trunk; a killed job resumes from its last save."""
    input:
        data=data_of,
        parent=parent_of,
    output:
        snapshots=str(PATHS.snapshots("{run}")),
        history=str(PATHS.history("{run}")),
        made=str(PATHS.made(PATHS.history("{run}"))),
    log:
        str(PATHS.log("train", "{run}")),
    wildcard_constraints:
        run=but(IMPORTED, RUN),
    conda:
        "../../envs/sharpest.yaml"
    threads: PROJECT.scale.torch_threads
    resources:
        mem_mb=6000,
        runtime=grows(PROJECT.scale.time_limit),
        gpu=GPUS,
        jobs_per_gpu=JOBS_PER_GPU,
    params:
        settings=settings_of,
        code=training_code,
    script:
        "../scripts/train_run.py"
