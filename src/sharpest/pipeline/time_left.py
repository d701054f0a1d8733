"""Estimate the remaining time of a workflow from the time its jobs have taken so far."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sharpest.pipeline.progress import clock

INTERVAL = 10.0
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
        """Record that a job ends now; return a progress line if the last one is at least ``INTERVAL`` ago."""
        now = time.monotonic()
        work = self._waiting.pop(job)
        took = now - self._running.pop(job, now)
        for key, size in (((), 1), ((work.rule,), work.size), ((work.rule, work.kind), work.size)):
            self._seconds[key] += took
            self._sizes[key] += size
        if now - self._last < INTERVAL or not self._waiting:
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
