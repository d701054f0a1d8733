"""The frame of a job: details to its log, progress and errors to the terminal."""

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
from sharpest.pipeline.gpu_errors import explained
from sharpest.pipeline.gpu_slots import choose_device
from sharpest.results.whole import written_whole

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


@contextmanager
def job(log: str, resources: Any = None, benchmark: Path | None = None) -> Iterator[TextIO]:
    """Run a job's work: stdout and stderr go to the log, the terminal stays free for lines a person can read.

    An error that a person can mend is one line, on the terminal and in the log; any other names the log, which holds
    the traceback, as it does for one of a GPU. The process ends with the work.

    Args:
        log: Path of the log file.
        resources: Snakemake's, of a job that computes on the configured device.
        benchmark: Where time and memory are recorded; where a fork server runs the job, Snakemake sees neither.

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
        text = f"{log}: cannot be written ({error.strerror}); free space or correct the folder's rights"
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
        mendable = isinstance(error, SharpestError)
        of_gpu = explained(error)
        text = str(of_gpu or error) if of_gpu or mendable else f"{type(error).__name__}: {error}"
        if not mendable:
            text += f"; the traceback is in {log}"
        print(f"error      {text}", file=terminal, flush=True)
        # the disk may be full
        with suppress(OSError), file:
            file.write(f"{text}\n" if mendable else traceback.format_exc())
        sys.exit(1)
    for stream in (terminal, sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # all files are closed; taking torch down in order costs half a second a job


def _record(path: Path, seconds: float) -> None:
    """Write the seconds, MiB and CPU seconds of this process as a table of one row, as Snakemake's benchmarks are."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    with written_whole(path) as temporary:
        temporary.write_text(
            f"s\tmax_rss\tcpu_time\n{seconds:.2f}\t{used.ru_maxrss / 1024:.2f}\t{used.ru_utime + used.ru_stime:.2f}\n"
        )


def tune_allocator() -> None:
    """Keep large blocks instead of returning them to the system after each use: a quarter less time, the same bits."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return  # not glibc
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
