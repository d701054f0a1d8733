"""The frame of a job: details go to its log, progress, the time left and errors to the terminal."""

import ctypes
import gc
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from sharpest.errors import SharpestError
from sharpest.pipeline.gpu_slots import choose_device, explained
from sharpest.results.whole import written_whole

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


@contextmanager
def job(log: str, resources: Any = None, benchmark: Path | None = None) -> Iterator[TextIO]:
    """Run the work of a job. stdout and stderr go to the log; the terminal stays free for readable lines.

    A ``SharpestError`` is printed as one line, on the terminal and in the log. Other errors, including those of a GPU,
    are printed as one line that names the log with the traceback. The process ends with the work.

    Args:
        log: Path of the log file.
        resources: Snakemake's resources, for a job that computes on the configured device.
        benchmark: File for time and memory. Snakemake cannot measure them if a fork server runs the job.

    Yields:
        The terminal.
    """
    began = time.perf_counter()
    gc.enable()  # see sharpest.pipeline.startup
    tune_allocator()
    terminal = os.fdopen(os.dup(2), "w")
    try:
        os.makedirs(os.path.dirname(log), exist_ok=True)
        file = open(log, "w")  # noqa: SIM115 - closed when the process ends
    except OSError as error:
        text = f"{log}: cannot be written ({error.strerror}); free space or correct the folder's permissions"
        print(f"error      {text}", file=terminal, flush=True)
        sys.exit(1)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
    try:
        if resources is not None:
            choose_device(resources)
        yield terminal
        if benchmark is not None:
            _record(benchmark, time.perf_counter() - began)
    except BaseException as error:
        expected = isinstance(error, SharpestError)
        of_gpu = explained(error)
        text = str(of_gpu or error) if of_gpu or expected else f"{type(error).__name__}: {error}"
        if not expected:
            text += f"; the traceback is in {log}"
        print(f"error      {text}", file=terminal, flush=True)
        # the disk may be full
        with suppress(OSError), file:
            file.write(f"{text}\n" if expected else traceback.format_exc())
        sys.exit(1)
    for stream in (terminal, sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # all files are closed; an orderly shutdown of torch takes half a second per job


def _record(path: Path, seconds: float) -> None:
    """Write the seconds, MiB and CPU seconds of this process in the format of Snakemake's benchmarks."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    with written_whole(path) as temporary:
        temporary.write_text(
            f"s\tmax_rss\tcpu_time\n{seconds:.2f}\t{used.ru_maxrss / 1024:.2f}\t{used.ru_utime + used.ru_stime:.2f}\n"
        )


def tune_allocator() -> None:
    """Keep large blocks instead of returning them to the system after each use: a quarter less time, same results."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return  # not glibc
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


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
