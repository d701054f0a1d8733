"""At which steps it is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection


class Schedule:
    """Every so many steps, or at named ones; less often where that would cost more than a budget.

    Args:
        every: Steps from one measurement to the next; None where ``at`` names them.
        at: The steps.
        budget: Largest share of the time of training, which is all that passes outside of measurements; None = any.
        clock: Gives seconds.

    Raises:
        ValueError: If these contradict each other, or are out of range.
    """

    def __init__(
        self,
        every: int | None,
        at: Collection[int] | None,
        budget: float | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if every is not None and at is not None:
            raise ValueError("every and at both say when it is measured; give one of them")
        if at is not None and budget is not None:
            raise ValueError("budget stretches every, and at names the steps; give one of them")
        if every is not None and every < 1:
            raise ValueError(f"every {every} must be at least 1")
        if budget is not None and not 0 < budget < 1:
            raise ValueError(f"budget {budget} must lie between 0 and 1: it is a share of the time of training")
        self._at = None if at is None else frozenset(at)
        self._every = 100 if every is None else every
        self._budget, self._clock, self._began = budget, clock, clock()
        self._spent = self._latest = 0.0

    def due(self, step: int) -> bool:
        """Whether it is measured at a step."""
        if self._at is not None:
            return step in self._at
        return step % self._every == 0 and self._affordable()

    def _affordable(self) -> bool:
        """Whether one more measurement, if it costs what the latest did, stays within the budget."""
        if self._budget is None or not self._spent:
            return True
        training = self._clock() - self._began - self._spent
        return self._spent + self._latest <= self._budget * training

    def spent(self, seconds: float) -> None:
        """A measurement took so long."""
        self._latest = seconds
        self._spent += seconds
