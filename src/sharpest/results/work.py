"""The work folder of a job: what survives a kill, kept outside the declared outputs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from sharpest.errors import StoreError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a work folder against other processes; create it if necessary, and wait while another process holds it.

    Raises:
        StoreError: If it cannot be written.
    """
    lock = FileLock(path / "lock")
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield
    finally:
        lock.release()


def has_work(path: Path, identity: str) -> bool:
    """Whether a folder holds work of this identity, from a job that was killed or is running."""
    mark = path / "identity"
    return mark.exists() and mark.read_bytes() == identity.encode()


class WorkFolder:
    """The saved work of an unfinished job.

    Use it only while it is ``locked``. A folder of another identity (parameters, data, code, device) is emptied: stale
    work is never resumed.

    Args:
        path: The folder.
        identity: What the work depends on.
        folders: Names of its subfolders.

    Attributes:
        path: The folder.
        emptied: Whether the folder held work of another identity.
    """

    def __init__(self, path: Path, identity: str, folders: tuple[str, ...] = ()) -> None:
        self.path, self._folders, self.emptied = path, folders, False
        if not has_work(path, identity):
            mark = path / "identity"
            try:
                self.emptied = mark.exists()
                self.remove()
                for folder in folders:
                    (path / folder).mkdir()
                mark.write_text(identity)
            except OSError as error:
                raise cannot_write(path, error) from error

    def remove(self) -> None:
        """Delete everything except the lock."""
        # the mark goes first, so that what a kill leaves is not taken for work
        (self.path / "identity").unlink(missing_ok=True)
        for entry in self.path.iterdir():
            if entry.name in self._folders:
                shutil.rmtree(entry)
            elif entry.name != "lock" and entry.is_file():
                entry.unlink()


def cannot_write(path: Path, error: OSError) -> StoreError:
    """The error for a work folder that cannot be written."""
    return StoreError(
        f"{path}: cannot be written ({error}); free space or correct the folder's rights, then run snakemake again: "
        "the job goes on from what it has kept"
    )
