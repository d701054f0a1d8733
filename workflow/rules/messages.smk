# Additions to Snakemake's messages: readable reasons, and the time left for the whole workflow.
import functools
import logging

from snakemake_interface_logger_plugins.common import LogEvent

from sharpest.pipeline.time_left import TimeLeft
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


@functools.cache
def time_left():
    return TimeLeft(
        {
            workflow.dag.jobid(job): " ".join(
                [job.rule.name, job.wildcards.get("measure", "")]
            )
            for job in workflow.dag.needrun_jobs()
        }
    )


def say_time_left(record):
    """Track the start and end of jobs, and log the time left."""
    event = getattr(record, "event", None)
    if event == LogEvent.JOB_STARTED:
        time_left().started(record.jobs)
    if event == LogEvent.JOB_FINISHED and (line := time_left().finished(record.job_id)):
        logger.info(line)
    return True


logger.addFilter(say_what_changed)
logger.addFilter(say_time_left)
