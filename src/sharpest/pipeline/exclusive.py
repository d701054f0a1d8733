"""One snakemake at a time works in a folder: a lock that the kernel frees when its holder dies, however it dies.

Snakemake's own lock outlives a holder that was killed, and cannot tell a dead one from a live one. While this lock is
held, ``--unlock`` is refused; once it is free, what is left of Snakemake's own is stale.
"""

import fcntl
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from sharpest.errors import SharpestError

# options with which snakemake changes nothing, beside a dry run
_READING = {
    "--lint", "-l", "--lt", "--lc", "--li", "--lp", "--lu", "--dag", "--rulegraph", "--filegraph", "--d3dag",
    "--summary", "-S", "--detailed-summary", "-D", "--report",
}  # fmt: skip

_held: list[TextIO] = []


def only_reads(arguments: Sequence[str]) -> bool:
    """Whether arguments of snakemake ask for a list, a drawing or a report of what is there."""
    options = [argument.partition("=")[0] for argument in arguments]
    return any(option in _READING or option.startswith("--list") for option in options)


def hold(path: Path) -> None:
    """Hold a lock file until this process ends; where the file system has no locks, do nothing.

    Args:
        path: Its folder is made where it does not exist.

    Raises:
        SharpestError: If another process holds it; one line, which names that process.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+")  # noqa: SIM115 - closing it would free the lock
    except OSError as error:
        raise SharpestError(
            f"{path}: cannot be written ({error.strerror}); correct its rights or free space"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        raise SharpestError(
            f"another snakemake works in {Path.cwd()} ({holder}): wait until it has ended, or stop it; "
            "nothing was changed"
        ) from None
    except OSError:
        return  # Snakemake's own lock is left
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    _held.append(file)
