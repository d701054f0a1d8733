"""The frame of a job: details to its log, progress and errors to the terminal."""

import ctypes
import gc
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from sharpest.errors import SharpestError
from sharpest.pipeline.gpu_errors import explained
from sharpest.pipeline.gpu_slots import choose_device

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


@contextmanager
def job(log: str, resources: Any = None) -> Iterator[TextIO]:
    """Run a job's work: stdout and stderr go to the log, the terminal stays free for lines a person can read.

    An error that a person can mend is one line, on the terminal and in the log; any other names the log, which holds
    the traceback, as it does for one of a GPU. The process ends with the work.

    Args:
        log: Path of the log file.
        resources: Snakemake's, of a job that computes on the configured device.

    Yields:
        The terminal.
    """
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
    # all files are closed; taking torch down in order costs half a second a job
    terminal.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def tune_allocator() -> None:
    """Keep large blocks instead of returning them to the system after each use: a quarter less time, the same bits."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return  # not glibc
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
