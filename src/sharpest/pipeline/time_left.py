"""How long the whole will still take, from how long its jobs have taken so far."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

from sharpest.pipeline.progress import clock

INTERVAL = 10.0
"""Seconds between two lines."""


class TimeLeft:
    """Watches jobs start and finish.

    A job is expected to take as long as those of its kind have taken on average, and of a kind that has none finished
    yet, as long as all others; as many run beside each other as have so far. Jobs of one kind differ, and so the
    estimate is a rough one until some of each have finished.

    Args:
        kinds: The kind of each job of the workflow, by its number.
    """

    def __init__(self, kinds: Mapping[int, str]) -> None:
        self._waiting = dict(kinds)
        self._total = len(kinds)
        self._running: dict[int, float] = {}
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._began = self._last = time.monotonic()

    def started(self, jobs: Iterable[int]) -> None:
        """Jobs begin now."""
        self._running.update(dict.fromkeys(jobs, time.monotonic()))

    def finished(self, job: int) -> str | None:
        """A job ends now; returns a line for people, where the last one is some time ago."""
        now = time.monotonic()
        kind = self._waiting.pop(job)
        self._seconds[kind].append(now - self._running.pop(job, now))
        if now - self._last < INTERVAL or not self._waiting:
            return None
        self._last = now
        done = self._total - len(self._waiting)
        share, left = 100 * done // self._total, clock(self._left(now))
        return f"{'all':<10} {done}/{self._total} jobs, {share} %, about {left} left"

    def _left(self, now: float) -> float:
        spent = {kind: sum(seconds) for kind, seconds in self._seconds.items()}
        of_all = sum(spent.values()) / (self._total - len(self._waiting))
        means = {kind: spent[kind] / len(seconds) for kind, seconds in self._seconds.items()}
        running = {job: now - began for job, began in self._running.items()}
        rest = sum(max(means.get(kind, of_all) - running.get(job, 0.0), 0.0) for job, kind in self._waiting.items())
        beside = (sum(spent.values()) + sum(running.values())) / (now - self._began)
        return rest / beside
