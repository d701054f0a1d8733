"""Additions to Snakemake's messages: readable reasons, warnings of files that are not current, and the time left.

Snakemake compares its own records and timestamps. It does not notice files that were merged from another checkout, put
back from a backup, or written while the clock was wrong.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from logging import Logger, LogRecord
from pathlib import Path
from typing import Any, NamedTuple

import h5py
from snakemake_interface_logger_plugins.common import LogEvent

from sharpest.errors import StoreError
from sharpest.pipeline.job import clock
from sharpest.pipeline.rules import Rules
from sharpest.pipeline.why import changes
from sharpest.results.paths import Paths
from sharpest.results.record import changed_source, read_record
from sharpest.results.whole import regular, remedy

PAUSE = 10.0
"""Seconds between two lines."""


class Work(NamedTuple):
    """What a job does.

    Attributes:
        rule: Its rule.
        kind: What it measures; empty for other rules.
        size: Its size in a unit of its rule, such as points or updates times batch size.
    """

    rule: str
    kind: str
    size: float


class TimeLeft:
    """Estimates the remaining time from the jobs that started and finished.

    The time of a job is expected to grow with its size, as in the finished jobs of its rule and kind, or else of its
    rule. A job of a rule of which none has finished is expected to take the mean time of all finished jobs. The number
    of parallel jobs is expected to stay at its average so far.

    Args:
        jobs: Number of a job -> what it does.
    """

    def __init__(self, jobs: Mapping[int, Work]) -> None:
        self._waiting = dict(jobs)
        self._total = len(jobs)
        self._running: dict[int, float] = {}
        self._seconds: dict[tuple[str, ...], float] = defaultdict(float)
        self._sizes: dict[tuple[str, ...], float] = defaultdict(float)
        self._began = self._last = time.monotonic()

    def started(self, jobs: Iterable[int]) -> None:
        """Record that jobs start now."""
        self._running.update(dict.fromkeys(jobs, time.monotonic()))

    def finished(self, job: int) -> str | None:
        """Record that a job ends now; return a progress line if the last one is at least ``PAUSE`` ago."""
        now = time.monotonic()
        work = self._waiting.pop(job)
        took = now - self._running.pop(job, now)
        for key, size in (((), 1), ((work.rule,), work.size), ((work.rule, work.kind), work.size)):
            self._seconds[key] += took
            self._sizes[key] += size
        if now - self._last < PAUSE or not self._waiting:
            return None
        self._last = now
        done = self._total - len(self._waiting)
        percentage, left = 100 * done // self._total, clock(self._left(now))
        return f"{'all':<10} {done}/{self._total} jobs, {percentage} %, about {left} left"

    def _left(self, now: float) -> float:
        running = {job: now - began for job, began in self._running.items()}
        work = sum(max(self._expected(each) - running.get(job, 0.0), 0.0) for job, each in self._waiting.items())
        parallel_jobs = (self._seconds[()] + sum(running.values())) / (now - self._began)
        return work / parallel_jobs

    def _expected(self, work: Work) -> float:
        """Seconds that a job is expected to take."""
        for key in ((work.rule, work.kind), (work.rule,)):
            if self._sizes[key]:
                return work.size * self._seconds[key] / self._sizes[key]
        return self._seconds[()] / self._sizes[()]


def other_settings(path: Path, expected: Mapping[str, Any], points: int | None = None) -> str:
    """A line if a finished HDF5 file was made with other settings than the configuration has; else empty.

    Args:
        path: The file. A damaged one is reported by the jobs that read it.
        expected: Settings that the file records, by name.
        points: Number of points of a measurement.
    """
    try:
        with h5py.File(regular(path), "r", locking=False) as file:
            stored = json.loads(file.attrs["config"])
            planned = None if points is None else int(file.attrs["planned_points"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, StoreError):
        return ""
    now = json.loads(json.dumps(dict(expected)))
    differences = [
        changes([repr(stored.get(name))], {name: now[name]}) for name in now if stored.get(name) != now[name]
    ]
    if planned != points:
        differences.append(f"points {planned} -> {points}")
    if not differences:
        return ""
    what = ", ".join(differences)
    return f"{path}: was made with other settings than the configuration has now ({what}); {remedy(path)}"


def made_of_others(path: Path, paths: Paths) -> str:
    """A line if the finished files of a record were made from other files than those present; else empty.

    Args:
        path: The record.
        paths: Paths of the scale.
    """
    try:
        record = read_record(path)
        source = changed_source(record["made_from"], paths)
    except StoreError:
        return ""  # reported by the jobs that read it
    if source is None or not record["files"]:
        return ""
    first = paths.folder / next(iter(record["files"]))
    return f"{first}: was made from another {source} than is there now; {remedy(first)}"


def lift_default_limit(scheduler: Any) -> None:
    """Remove Snakemake's default limit of 100 jobs per second; a limit set by the user stays.

    With a limit, every finished job makes the scheduler wake up once more per second, which in the end occupies a core.

    Args:
        scheduler: Snakemake's ``JobScheduler``.
    """
    limit = scheduler.job_rate_limiter
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        scheduler.job_rate_limiter = None


class _Messages:
    """Filters of Snakemake's log, which see each record before it is printed.

    Args:
        workflow: Snakemake's workflow.
        logger: Its logger.
        rules: The functions of the rules.
    """

    def __init__(self, workflow: Any, logger: Logger, rules: Rules) -> None:
        self._workflow, self._logger, self._rules = workflow, logger, rules

    @cached_property
    def _jobs(self) -> dict[int, Any]:
        return {self._workflow.dag.jobid(job): job for job in self._workflow.dag.jobs}

    @cached_property
    def _time_left(self) -> TimeLeft:
        dag = self._workflow.dag
        return TimeLeft({dag.jobid(job): self._work_of(job) for job in dag.needrun_jobs()})

    def _work_of(self, job: Any) -> Work:
        """What a job does, for the time left; sizes are updates times batch size, and points."""
        size = 1
        if job.rule.name == "train_run":
            run = self._rules.project.run(job.wildcards.run)
            size = run.num_iterations * run.batch_size
        elif job.rule.name in ("measure", "measure_shard"):
            size = sum(map(len, self._rules.segments(job.wildcards)))
        return Work(job.rule.name, job.wildcards.get("measure", ""), size)

    def say_what_changed(self, record: LogRecord) -> bool:
        """Add the changed modules and settings to the reason of a job."""
        if getattr(record, "event", None) == LogEvent.JOB_INFO:
            job = self._jobs.get(record.jobid)  # type: ignore[attr-defined]
            if job and (change := self._workflow.dag.reason(job).params_changed):
                now = {name: value for name, value in job.params.items() if repr(value) in change.only_new}
                reason = record.reason.replace(str(change), changes(change.only_old, now))  # type: ignore[attr-defined]
                record.reason = reason
        return True

    def say_time_left(self, record: LogRecord) -> bool:
        """Track the start and end of jobs, and log the time left."""
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_STARTED:
            self._time_left.started(record.jobs)  # type: ignore[attr-defined]
        if event == LogEvent.JOB_FINISHED and (line := self._time_left.finished(record.job_id)):  # type: ignore[attr-defined]
            self._logger.info(line)
        return True

    def say_what_is_not_current(self, record: LogRecord) -> bool:
        """Warn when the plan is known."""
        is_planned = getattr(record, "event", None) == LogEvent.RUN_INFO
        if is_planned or record.getMessage().startswith("Nothing to be done"):
            for line in filter(None, self._lines_about_present_files()):
                self._logger.warning(line)
        return True

    def _lines_about_present_files(self) -> Iterator[str]:
        """Lines on files that stay as they are: drawings, and measurements that a job of this plan will read."""
        dag = self._workflow.dag
        for job in dag.jobs:
            if job.rule.name != "train_run" and not dag.needrun(job):
                for path in job.output:
                    if path.endswith(".made.json"):
                        yield made_of_others(Path(path), self._rules.paths)
        before = {job for reader in dag.needrun_jobs() for job in dag.dependencies[reader] if not dag.needrun(job)}
        for job in sorted(before, key=lambda job: str(job.output[0])):
            yield self._about(job)

    def _about(self, job: Any) -> str:
        """A line if the file of a job that trains or measures was made with other settings; else empty."""
        if job.rule.name == "train_run":
            return other_settings(Path(job.output.snapshots), self._rules.settings(job.wildcards))
        if job.rule.name not in ("measure", "merge_shards"):
            return ""
        curve = job.wildcards.get("curve") or f"{job.wildcards.run}/{job.wildcards.schedule}"
        run, _, name = curve.rpartition("/")
        if run in self._rules.imported:
            return ""
        project = self._rules.project
        schedule = project.schedule(run, name)
        settings = schedule.measures[job.wildcards.measure]
        expected = {"run": project.run(run), "settings": settings, "hessian": project.hessian(run)}
        values = {key: value.model_dump(mode="json") for key, value in expected.items()}
        return other_settings(Path(job.output[0]), values, sum(map(len, schedule.segments)))


def improve_messages(workflow: Any, logger: Logger, rules: Rules) -> None:
    """Add to Snakemake's messages from now on.

    Args:
        workflow: Snakemake's workflow.
        logger: Its logger.
        rules: The functions of the rules.
    """
    messages = _Messages(workflow, logger, rules)
    for each in (messages.say_what_changed, messages.say_what_is_not_current, messages.say_time_left):
        logger.addFilter(each)
