"""Progress as lines a person can read: which stage, how far, how long still."""

import sys
import time
from typing import TextIO

INTERVAL = 5.0  # seconds between lines of one job


class Progress:
    """Reports one job; short jobs print a single line when they are done.

    Args:
        stage: E.g. ``train``.
        subject: E.g. the run id.
        total: Units of work.
        unit: What they are called.
        stream: Where lines go; the terminal by default.
    """

    def __init__(self, stage: str, subject: str, total: int, unit: str, stream: TextIO | None = None) -> None:
        self._label = f"{stage:<10} {subject}"
        self._total, self._unit = total, unit
        self._stream = stream or sys.stderr
        self._began = self._last = time.monotonic()
        self._start: int | None = None

    def update(self, done: int, note: str = "") -> None:
        """``done`` of ``total`` units are finished; the first call says where the job started, and why if not at 0."""
        now = time.monotonic()
        if self._start is None:
            self._start, self._began = done, now
            if note:
                self._print(f"{done}/{self._total} {self._unit}", note)
        if now - self._last < INTERVAL or done <= self._start:
            return
        self._last = now
        left = (now - self._began) / (done - self._start) * (self._total - done)
        self._print(f"{done}/{self._total} {self._unit}, {100 * done // self._total} %, {clock(left)} left", note)

    def finish(self, note: str = "") -> None:
        """The job is done."""
        self._print(f"done in {clock(time.monotonic() - self._began)}", note)

    def _print(self, text: str, note: str) -> None:
        print(f"{self._label}: {text}{f' ({note})' if note else ''}", file=self._stream, flush=True)


def clock(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
