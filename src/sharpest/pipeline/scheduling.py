"""A setting of Snakemake's scheduler that has no option."""

from typing import Any


def lift_default_limit(scheduler: Any) -> None:
    """Remove Snakemake's default limit of 100 jobs per second; a limit set by the user stays.

    With a limit, every finished job makes the scheduler wake up once more per second, which in the end occupies a core.

    Args:
        scheduler: Snakemake's ``JobScheduler``.
    """
    limit = scheduler.job_rate_limiter
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        scheduler.job_rate_limiter = None
