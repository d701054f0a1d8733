rule train_run:
    """Train one run, or a branch from a snapshot of its trunk; a killed job resumes from its last save."""
    input:
        data=RULES.data,
        parent=RULES.parent,
    output:
        snapshots=str(PATHS.snapshots("{run}")),
        history=str(PATHS.history("{run}")),
        made=str(PATHS.made(PATHS.history("{run}"))),
    log:
        str(PATHS.log("train", "{run}")),
    wildcard_constraints:
        run=but(RULES.imported, RUN),
    conda:
        "../../envs/sharpest.yaml"
    threads: PROJECT.scale.torch_threads
    resources:
        **RULES.gpu,
        mem_mb=6000,
        runtime=grows(PROJECT.scale.time_limit),
    params:
        settings=RULES.settings,
        hessian=RULES.hessian_note,
        reductions=RULES.reductions_note,
        code=RULES.training_code,
    script:
        "../scripts/train_run.py"
