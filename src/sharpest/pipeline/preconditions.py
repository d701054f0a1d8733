"""What is checked before a workflow starts: formulas, records, variables, and that no other process writes.

A lock lets only one snakemake work in a folder; the kernel frees it when its holder dies, for any reason. Snakemake's
own lock outlives a killed holder and does not show whether the holder is alive. While this lock is held, ``--unlock``
is refused; once it is free, a remaining lock of Snakemake is stale.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from sharpest.config.study_files import texts_in
from sharpest.errors import ConfigError, SharpestError, StoreError
from sharpest.results.paths import Paths


def check_formulas(studies: Mapping[str, Any]) -> None:
    """Check that matplotlib can draw every formula. Matplotlib is imported only if there is one: half a second.

    Args:
        studies: Studies that are drawn, by name.

    Raises:
        ConfigError: If a formula has an unknown symbol or a syntax error; names the study, the key and the place.
    """
    texts = [
        (name, key, text)
        for name, study in studies.items()
        for key, text in texts_in(study.model_dump(exclude={"caption"}))
        if "$" in text.replace(r"\$", "")
    ]
    if not texts:
        return
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    for name, key, text in texts:
        try:
            parser.parse(text)
        except ValueError as error:
            reason = str(error).splitlines()[-1].partition(": ")[2].partition(", found")[0]
            raise ConfigError(
                f"study {name}: {key} {text!r} is not a formula that matplotlib draws ({reason}); correct it, or write "
                r"\$ for a dollar"
            ) from None


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


_PRECISION = ("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE")
"""Variables that let the libraries behind torch round to bfloat16 or TF32, which is too coarse for curvature."""


def check_variables() -> None:
    """Check the environment variables that break Snakemake or change results.

    Raises:
        SharpestError: If warnings are errors, or torch may compute with less than float32; names the variable.
    """
    if "error" in os.getenv("PYTHONWARNINGS", ""):
        warnings.simplefilter("ignore")  # Snakemake would fail once more when it ends
        raise SharpestError(
            "PYTHONWARNINGS=error turns warnings of Snakemake and other packages into failures; unset PYTHONWARNINGS"
        )
    for name in _PRECISION:
        if (value := os.getenv(name, "")).upper() not in ("", "0", "STRICT"):
            raise SharpestError(f"{name}={value} lets torch compute with less than float32; unset {name}")


def check_braces(folder: Path) -> None:
    """Check that Snakemake does not take a part of its folder for a wildcard; it would fail with a traceback.

    Args:
        folder: The folder of the Snakefile.

    Raises:
        SharpestError: If the path has braces.
    """
    if {"{", "}"} & set(str(folder)):
        raise SharpestError(f"{folder}: Snakemake takes braces in its path for wildcards; rename that folder")


def check_room(cache: Path, rules: Iterable[Path]) -> None:
    """Check that Snakemake can copy the rules to its cache; it would fail with a line of Python's library.

    Args:
        cache: Folder of the copies.
        rules: Files that Snakemake copies.

    Raises:
        SharpestError: If a file as large as the largest of them cannot be written.
    """
    try:
        with tempfile.TemporaryFile(dir=cache) as file:
            file.write(bytes(max(path.stat().st_size for path in rules)))
            file.flush()
    except OSError as error:
        raise SharpestError(
            f"{cache}: Snakemake cannot copy its rules there ({error.strerror}); free space, or set TMPDIR and "
            "XDG_CACHE_HOME to folders on another disk"
        ) from error


def check_records() -> None:
    """Check that Snakemake can read its records; it would fail with a traceback.

    Raises:
        SharpestError: If permissions of ``.snakemake``, or of a folder in it, are missing.
    """
    for folder in _folders_of_records():
        _check_access(folder, os.R_OK | os.X_OK, "read")


def check_dry_run() -> None:
    """Check that Snakemake can write its records, which it also does in a dry run; it would fail with a traceback.

    Raises:
        SharpestError: If ``.snakemake``, a folder in it, or the folder in which it would be made cannot be written.
    """
    for folder in list(_folders_of_records()) or [Path()]:
        _check_access(folder, os.W_OK | os.X_OK, "written")


def hold_folders(paths: Paths) -> None:
    """Lock the current folder and the results folder until this process ends; Snakemake must be able to write both.

    Args:
        paths: Paths of the scale. Its folder may be linked into several checkouts, and has a lock of its own.

    Raises:
        SharpestError: If another Snakemake works in one of the folders, or one of them cannot be written.
    """
    hold(LOCK.resolve())
    for folder in _folders_of_records():
        _check_access(folder, os.W_OK, "written")
    top = next(folder for folder in (paths.folder, *paths.folder.parents) if folder.exists())
    # folders that are linked from top belong to someone else and are only read
    for name, _, _ in os.walk(top):
        _check_access(Path(name), os.W_OK | os.X_OK, "written", "results folder ")
    hold(paths.work("lock").resolve(), paths.folder.resolve())


def check_imported(runs: Iterable[str], paths: Paths) -> None:
    """Check that the states of imported runs are there; no rule can make them.

    Args:
        runs: Ids of the imported runs.
        paths: Paths of the scale.

    Raises:
        StoreError: If the states of a run are missing.
    """
    for run in runs:
        if not (path := paths.snapshots(run)).exists():
            raise StoreError(f"{path} of imported run {run} is missing; run sharpest import again, or delete the scale")


def _folders_of_records() -> Iterator[Path]:
    """``.snakemake``, if it exists, then the folders in it, which are listed only when asked for."""
    if os.path.lexists(RECORDS):
        yield RECORDS
        yield from (folder for folder in RECORDS.iterdir() if folder.is_dir())


def _check_access(folder: Path, mode: int, done: str, kind: str = "") -> None:
    if not os.access(folder, mode):
        raise SharpestError(
            f"{kind}{folder.resolve()} cannot be {done}; correct its permissions, or start snakemake with "
            "--directory FOLDER"
        )
