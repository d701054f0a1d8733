"""Write files atomically, and require files to exist."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sharpest.errors import StoreError


def present(path: Path) -> Path:
    """The path itself, if the file exists.

    Raises:
        StoreError: If the file does not exist, or is not a regular file.
    """
    if not path.exists():
        raise StoreError(f"{path}: does not exist; {_remedy(path)}")
    return regular(path)


def regular(path: Path) -> Path:
    """The path itself, unless something else than a file is there: reading a pipe or a device may never end.

    Raises:
        StoreError: If a pipe, a device or a folder is there.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # unlike methods of Path, false for a name that is too long
        raise StoreError(f"{path}: is not a regular file; remove it")
    return path


def _remedy(path: Path) -> str:
    """How to make a missing file: the rules make only files below the folder ``results``."""
    above, results, below = str(path).rpartition("results/")
    if not results or above.rstrip("/") != above[:-1] or "/" not in below:
        return "correct the path"
    directory = f"--directory {above} " if above else ""
    return f"make it with: snakemake --cores all {directory}{results}{below}"


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary path to write to, renamed at the end: the file appears complete or not at all.

    Raises:
        StoreError: If it cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())  # a power loss must not leave an empty file under the name
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error}); free space or fix the folder's permissions") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files that killed processes left behind."""
    for leftover in path.parent.iterdir():
        name, _, process = leftover.name.rpartition(".")
        if name == f".{path.name}" and process.isdigit():
            try:
                os.kill(int(process), 0)
            except ProcessLookupError:
                leftover.unlink(missing_ok=True)
            except (PermissionError, OverflowError):
                pass  # the process is alive, or not ours
