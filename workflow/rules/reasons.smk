# Reasons in words: of changed parameters Snakemake prints the whole text, before and now.
import functools
import logging

from snakemake_interface_logger_plugins.common import LogEvent

from sharpest.pipeline.why import changes


@functools.cache
def jobs_by_id():
    return {workflow.dag.jobid(job): job for job in workflow.dag.jobs}


def say_what_changed(record):
    """Put the changed modules and settings into the reason of a job that is announced."""
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


logger.addFilter(say_what_changed)
