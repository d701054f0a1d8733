"""The steps at which a monitor measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection


class Schedule:
    """Measures every n steps or at given steps, and less often if that would exceed a budget.

    Args:
        every: Steps between measurements; None if ``at`` is given, or for the default.
        at: The steps to measure at.
        budget: Largest ratio of measurement time to training time, which is all other time; None = no limit.
        clock: Returns the time in seconds.

    Raises:
        ValueError: If arguments contradict each other, or are out of range.
    """

    def __init__(
        self,
        every: int | None,
        at: Collection[int] | None,
        budget: float | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if every is not None and at is not None:
            raise ValueError("every and at both set the steps to measure at; pass one of them")
        if at is not None and budget is not None:
            raise ValueError("budget changes every, but at sets fixed steps; pass one of them")
        if every is not None and every < 1:
            raise ValueError(f"every {every} must be at least 1")
        if budget is not None and not 0 < budget < 1:
            raise ValueError(f"budget {budget} must lie between 0 and 1: it is a share of training time")
        self._at = None if at is None else frozenset(at)
        self._every = 100 if every is None else every
        self._budget, self._clock, self._began = budget, clock, clock()
        self._spent = self._latest = 0.0

    def due(self, step: int) -> bool:
        """Whether a measurement is due at a step."""
        if self._at is not None:
            return step in self._at
        return step % self._every == 0 and self._affordable()

    def _affordable(self) -> bool:
        """Whether another measurement, at the cost of the latest, stays within the budget."""
        if self._budget is None or not self._spent:
            return True
        training = self._clock() - self._began - self._spent
        return self._spent + self._latest <= self._budget * training

    def spent(self, seconds: float) -> None:
        """Record the duration of a measurement."""
        self._latest = seconds
        self._spent += seconds
