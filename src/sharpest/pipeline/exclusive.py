"""A lock that lets only one snakemake work in a folder; the kernel frees it when its holder dies, for any reason.

Snakemake's own lock outlives a killed holder and does not show whether the holder is alive. While this lock is held,
``--unlock`` is refused; once it is free, a remaining lock of Snakemake is stale.
"""

import fcntl
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from sharpest.errors import SharpestError

RECORDS = Path(".snakemake")
"""The folder of Snakemake's records, in the folder in which it works."""
LOCK = RECORDS / "sharpest.lock"
"""The lock of the folder in which Snakemake works."""

# options with which snakemake changes nothing, besides a dry run
_READ_ONLY = {
    "--lint", "-l", "--lt", "--lc", "--li", "--lp", "--lu", "--dag", "--rulegraph", "--filegraph", "--d3dag",
    "--summary", "-S", "--detailed-summary", "-D", "--report",
}  # fmt: skip

_held: list[TextIO] = []


def only_reads(arguments: Sequence[str]) -> bool:
    """Whether arguments of snakemake only request a list, a graph or a report."""
    options = [argument.partition("=")[0] for argument in arguments]
    return any(option in _READ_ONLY or option.startswith("--list") for option in options)


def hold(path: Path, folder: Path | None = None) -> None:
    """Hold a lock file until this process ends. Does nothing if the file system has no locks.

    Args:
        path: The lock file; its folder is created if missing.
        folder: The folder that it locks, for the message; None = the current one.

    Raises:
        SharpestError: If another process holds the lock; the message names that process.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+")  # noqa: SIM115 - closing it would free the lock
    except OSError as error:
        raise SharpestError(
            f"{path}: cannot be written ({error.strerror}); correct its permissions or free space"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        raise SharpestError(
            f"another snakemake is running in {folder or Path.cwd()} ({holder}): wait until it ends, or stop it; "
            "nothing was changed"
        ) from None
    except OSError:
        return  # only Snakemake's own lock remains
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    _held.append(file)
