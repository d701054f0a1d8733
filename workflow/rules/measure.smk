rule measure:
    """Take a measure of a run at the points of a schedule; a killed job resumes after its last point."""
    input:
        data=RULES.data,
        snapshots=RULES.snapshots,
        needed=RULES.needed,
    output:
        str(PATHS.measured("{measure}", "{run}", "{schedule}")),
    log:
        str(PATHS.log("{measure}", "{run}", "{schedule}")),
    conda:
        "../../envs/sharpest.yaml"
    threads: PROJECT.scale.torch_threads
    resources:
        **RULES.gpu,
        mem_mb=8000,
        runtime=grows(PROJECT.scale.time_limit),
    params:
        segments=RULES.segments,
        settings=RULES.measure_settings,
        hessian=RULES.hessian,
        code=RULES.measuring_code,
    script:
        "../scripts/measure.py"


use rule measure as measure_shard with:
    output:
        temp(str(PATHS.shard("{measure}", "{run}", "{schedule}", "{shard}"))),
    log:
        str(PATHS.log("shards", "{measure}", "{run}", "{schedule}", "{shard}")),


rule merge_shards:
    """Merge shards into the file that a single job would have written."""
    input:
        RULES.shards,
    output:
        str(PATHS.curve("{measure}", "{curve}")),
    log:
        str(PATHS.log("{measure}", "{curve}")),
    conda:
        "../../envs/sharpest.yaml"
    resources:
        mem_mb=2000,
        runtime=grows(60),
    params:
        code=RULES.merging_code,
    script:
        "../scripts/merge_shards.py"


# one job measures a run on a schedule, unless the schedule is split into shards
ruleorder: merge_shards > measure
