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
        **GPU,
        mem_mb=6000,
        runtime=grows(PROJECT.scale.time_limit),
    params:
        settings=settings_of,
        # notes for readers of the file, as planned. Training does not depend on them, and a function of output is not
        # recorded, so a different Hessian trains nothing again
        hessian=lambda wildcards, output: hessian_of(wildcards),
        reductions=lambda wildcards, output: PROJECT.reductions([wildcards.run]),
        code=training_code,
    script:
        "../scripts/train_run.py"
