# Additions to Snakemake's messages: readable reasons, and the time left for the whole workflow.
import functools
import logging

from snakemake_interface_logger_plugins.common import LogEvent

from sharpest.pipeline.present import made_of_others, other_settings
from sharpest.pipeline.time_left import TimeLeft, Work
from sharpest.pipeline.why import changes


@functools.cache
def jobs_by_id():
    return {workflow.dag.jobid(job): job for job in workflow.dag.jobs}


def say_what_changed(record):
    """Add the changed modules and settings to the reason of a job."""
    if getattr(record, "event", None) == LogEvent.JOB_INFO:
        job = jobs_by_id().get(record.jobid)
        if job and (change := workflow.dag.reason(job).params_changed):
            now = {
                name: value
                for name, value in job.params.items()
                if repr(value) in change.only_new
            }
            record.reason = record.reason.replace(
                str(change), changes(change.only_old, now)
            )
    return True


def work_of(job):
    """What a job does, for the time left; sizes are updates times batch size, and points."""
    size = 1
    if job.rule.name == "train_run":
        run = PROJECT.run(job.wildcards.run)
        size = run.num_iterations * run.batch_size
    elif job.rule.name in ("measure", "measure_shard"):
        size = sum(map(len, segments_of(job.wildcards)))
    return Work(job.rule.name, job.wildcards.get("measure", ""), size)


@functools.cache
def time_left():
    return TimeLeft(
        {workflow.dag.jobid(job): work_of(job) for job in workflow.dag.needrun_jobs()}
    )


def say_time_left(record):
    """Track the start and end of jobs, and log the time left."""
    event = getattr(record, "event", None)
    if event == LogEvent.JOB_STARTED:
        time_left().started(record.jobs)
    if event == LogEvent.JOB_FINISHED and (line := time_left().finished(record.job_id)):
        logger.info(line)
    return True


def settings_of_file(job):
    """Arguments of ``other_settings`` for the file of a job that trains or measures; None for other jobs."""
    if job.rule.name == "train_run":
        return job.output.snapshots, settings_of(job.wildcards)
    if job.rule.name not in ("measure", "merge_shards"):
        return None
    curve = (
        job.wildcards.get("curve") or f"{job.wildcards.run}/{job.wildcards.schedule}"
    )
    run, _, name = curve.rpartition("/")
    if run in IMPORTED:
        return None
    schedule = PROJECT.schedule(run, name)
    expected = {
        "run": PROJECT.run(run),
        "settings": schedule.measures[job.wildcards.measure],
        "hessian": PROJECT.hessian(run),
    }
    return (
        job.output[0],
        {key: value.model_dump(mode="json") for key, value in expected.items()},
        sum(map(len, schedule.segments)),
    )


def lines_about_present_files():
    """Warnings of files that stay as they are: drawings, and measurements that a job of this plan will read."""
    dag = workflow.dag
    current = [job for job in dag.jobs if not dag.needrun(job)]
    for job in current:
        if job.rule.name != "train_run":
            for path in job.output:
                if path.endswith(".made.json"):
                    yield made_of_others(Path(path), PATHS)
    read = {
        job
        for reader in dag.needrun_jobs()
        for job in dag.dependencies[reader]
        if not dag.needrun(job)
    }
    for job in sorted(read, key=lambda job: str(job.output[0])):
        if arguments := settings_of_file(job):
            yield other_settings(Path(arguments[0]), *arguments[1:])


def say_what_is_not_current(record):
    """Warn when the plan is known."""
    if getattr(
        record, "event", None
    ) == LogEvent.RUN_INFO or record.getMessage().startswith("Nothing to be done"):
        for line in filter(None, lines_about_present_files()):
            logger.warning(line)
    return True


logger.addFilter(say_what_changed)
logger.addFilter(say_what_is_not_current)
logger.addFilter(say_time_left)
