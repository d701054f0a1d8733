"""Work in progress: records that survive a kill, and the folder that holds them."""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from sharpest.errors import StoreError

# size of the JSON text and of the arrays, CRC-32 of both; the CRC-32 of the head itself follows
_HEAD = struct.Struct("<QQI")
_CHECKSUM = struct.Struct("<I")
_SIZE = _HEAD.size + _CHECKSUM.size


@dataclass(frozen=True)
class Record:
    """One appended record.

    Attributes:
        facts: Values that JSON can hold.
        arrays: By name, in C order; read-only.
        end: Byte position in the file at which the next record begins.
    """

    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    end: int


def append_record(path: Path, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Append a record. Arrays are not copied.

    When the call returns, the operating system has all bytes: a kill loses nothing, a power loss may lose the last
    records.

    Raises:
        OSError: If it cannot be written.
    """
    ordered = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    shapes = [[name, array.dtype.str, array.shape] for name, array in ordered.items()]
    text = json.dumps([facts, shapes]).encode()
    parts: list[Any] = [text, *(array.reshape(-1).view(np.uint8) for array in ordered.values() if array.nbytes)]
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    head = _HEAD.pack(len(text), sum(array.nbytes for array in ordered.values()), checksum)
    with open(path, "ab") as file:
        file.write(head + _CHECKSUM.pack(zlib.crc32(head)))
        for part in parts:
            file.write(part)


def cut_records(path: Path, end: int) -> None:
    """Delete all records after a byte position, which is the end of a record or 0."""
    if path.exists():
        os.truncate(path, end)


def read_records(path: Path) -> Iterator[Record | None]:
    """The records of a file, one in memory at a time; None for a damaged record.

    Stops at the end of the file, or at a damaged head, after which no record can be found. A missing file has no
    records.
    """
    if not path.exists():
        return
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        end = 0
        while end < size:
            head = file.read(_SIZE)
            if len(head) < _SIZE or _CHECKSUM.pack(zlib.crc32(head[: _HEAD.size])) != head[_HEAD.size :]:
                return
            num_text, num_bytes, checksum = _HEAD.unpack_from(head)
            end += _SIZE + num_text + num_bytes
            if end > size:
                return
            yield _read(file, num_text, num_bytes, checksum, end)
            file.seek(end)


def _read(file: BinaryIO, num_text: int, num_bytes: int, checksum: int, end: int) -> Record | None:
    text, content = file.read(num_text), file.read(num_bytes)
    if zlib.crc32(content, zlib.crc32(text)) != checksum:
        return None
    facts, shapes = json.loads(text)
    arrays, offset = {}, 0
    for name, dtype, shape in shapes:
        count = math.prod(shape)
        arrays[name] = np.frombuffer(content, dtype, count, offset).reshape(shape)
        offset += arrays[name].nbytes
    return Record(facts, arrays, end)


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
