"""Print progress: the stage, how far it is, and the time left."""

import sys
import time
from typing import TextIO

INTERVAL = 5.0  # seconds between lines of one job


class Progress:
    """Reports the progress of one job; short jobs print only a final line.

    Args:
        stage: Name of the stage, such as ``train``.
        subject: What is worked on, such as the run id.
        total: Number of units of work.
        unit: Name of the units.
        stream: Where lines are printed; the terminal by default.
    """

    def __init__(self, stage: str, subject: str, total: int, unit: str, stream: TextIO | None = None) -> None:
        self._label = f"{stage:<10} {subject}"
        self._total, self._unit = total, unit
        self._stream = stream or sys.stderr
        self._began = self._last = time.monotonic()
        self._start: int | None = None

    def update(self, done: int, note: str = "") -> None:
        """Report that ``done`` units are finished. The first call sets where the job starts; its note says why."""
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
        """Report that the job is done."""
        self._print(f"done in {clock(time.monotonic() - self._began)}", note)

    def _print(self, text: str, note: str) -> None:
        print(f"{self._label}: {text}{f' ({note})' if note else ''}", file=self._stream, flush=True)


def clock(seconds: float) -> str:
    """Format seconds for display."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
