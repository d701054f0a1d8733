"""The default limit of Snakemake's scheduler is lifted, and no other."""

from types import SimpleNamespace

import pytest
from snakemake.cli import get_argument_parser
from snakemake.scheduling.job_scheduler import JobRateLimiter
from snakemake.settings.types import MaxJobsPerTimespan

from sharpest.pipeline.scheduling import lift_default_limit


def test_the_default_of_snakemake_is_lifted() -> None:
    default = get_argument_parser().get_default("max_jobs_per_timespan")
    scheduler = SimpleNamespace(job_rate_limiter=JobRateLimiter(MaxJobsPerTimespan.parse_choice(default)))
    lift_default_limit(scheduler)
    assert scheduler.job_rate_limiter is None


@pytest.mark.parametrize("limit", ["10/1s", "100/1m"])
def test_a_limit_of_the_user_stays(limit: str) -> None:
    limiter = JobRateLimiter(MaxJobsPerTimespan.parse_choice(limit))
    scheduler = SimpleNamespace(job_rate_limiter=limiter)
    lift_default_limit(scheduler)
    assert scheduler.job_rate_limiter is limiter


def test_a_dry_run_has_no_limit() -> None:
    scheduler = SimpleNamespace(job_rate_limiter=None)
    lift_default_limit(scheduler)
    assert scheduler.job_rate_limiter is None
