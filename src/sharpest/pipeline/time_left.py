"""Estimate the remaining time of a workflow from the time its jobs have taken so far."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

from sharpest.pipeline.progress import clock

INTERVAL = 10.0
"""Seconds between two lines."""


class TimeLeft:
    """Estimates the remaining time from the jobs that started and finished.

    A job is expected to take the mean time of the finished jobs of its kind, or of all finished jobs if none of its
    kind has finished. The number of parallel jobs is expected to stay at its average so far. Jobs of one kind differ,
    so the estimate is rough until some of each kind have finished.

    Args:
        kinds: Number of a job -> its kind.
    """

    def __init__(self, kinds: Mapping[int, str]) -> None:
        self._waiting = dict(kinds)
        self._total = len(kinds)
        self._running: dict[int, float] = {}
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._began = self._last = time.monotonic()

    def started(self, jobs: Iterable[int]) -> None:
        """Record that jobs start now."""
        self._running.update(dict.fromkeys(jobs, time.monotonic()))

    def finished(self, job: int) -> str | None:
        """Record that a job ends now; return a progress line if the last one is at least ``INTERVAL`` ago."""
        now = time.monotonic()
        kind = self._waiting.pop(job)
        self._seconds[kind].append(now - self._running.pop(job, now))
        if now - self._last < INTERVAL or not self._waiting:
            return None
        self._last = now
        done = self._total - len(self._waiting)
        percentage, left = 100 * done // self._total, clock(self._left(now))
        return f"{'all':<10} {done}/{self._total} jobs, {percentage} %, about {left} left"

    def _left(self, now: float) -> float:
        spent = {kind: sum(seconds) for kind, seconds in self._seconds.items()}
        of_all = sum(spent.values()) / (self._total - len(self._waiting))
        means = {kind: spent[kind] / len(seconds) for kind, seconds in self._seconds.items()}
        running = {job: now - began for job, began in self._running.items()}
        work = sum(max(means.get(kind, of_all) - running.get(job, 0.0), 0.0) for job, kind in self._waiting.items())
        parallel_jobs = (sum(spent.values()) + sum(running.values())) / (now - self._began)
        return work / parallel_jobs
