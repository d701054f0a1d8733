from sharpest.config.measures import measure_names, reading_module


wildcard_constraints:
    measure="|".join(measure_names()),


rule measure:
    """Take a measure of a run at the points of a schedule; a killed job resumes after its last point."""
    input:
        data=data_of,
        snapshots=snapshots_of,
        needed=files_needed,
    output:
        str(PATHS.measured("{measure}", "{run}", "{schedule}")),
    log:
        str(PATHS.log("{measure}", "{run}", "{schedule}")),
    conda:
        "../../envs/sharpest.yaml"
    threads: PROJECT.scale.torch_threads
    resources:
        **GPU,
        mem_mb=8000,
        runtime=grows(PROJECT.scale.time_limit),
    params:
        segments=segments_of,
        settings=measure_settings_of,
        hessian=hessian_of,
        code=measuring_code,
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
        shards_of,
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
        code=lambda wildcards: code_behind(
            "merge_shards.py", reading_module(wildcards.measure)
        ),
    script:
        "../scripts/merge_shards.py"


# one job measures a run on a schedule, unless the schedule is split into shards
ruleorder: merge_shards > measure
