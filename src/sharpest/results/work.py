"""Work in progress: records of an unfinished job in one SQLite database, which survives a kill at any moment."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from sharpest.errors import StoreError

CHUNK = 2**28
"""Largest part of a record in bytes, since SQLite stores at most 10^9 bytes in one value."""

_DISK = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)  # other errors: the file is damaged
_TABLE = "create table if not exists parts (kind, number, part, content, primary key (kind, number, part))"


@dataclass(frozen=True)
class Record:
    """One record.

    Attributes:
        facts: Values that JSON can hold.
        arrays: By name, in C order.
    """

    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


class WorkStore:
    """The records of an unfinished job, by kind and number. A record is written whole or not at all.

    A kill loses nothing that was put before, a power loss at most the latest records. Records have checksums of their
    own, because SQLite has none; all are verified when the store is opened. Use it only while its folder is ``locked``.
    A store of another identity (parameters, data, code, device) is deleted: stale work is never resumed.

    Args:
        path: The folder.
        identity: A hash of what the work depends on; part of the file's name.

    Attributes:
        path: The folder.
        emptied: Whether the folder held work of another identity.
        damaged: Kind and number of each record that was found damaged, and is deleted.
        lost: Whether the whole file was damaged, and is deleted.

    Raises:
        StoreError: If the folder cannot be written.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path, self._file = path, _file(path, identity)
        self.damaged: list[tuple[str, int]] = []
        try:
            others = [file for file in path.glob("*.sqlite") if file != self._file]
            self.emptied, self.lost = bool(others), False
            for file in others:
                _delete(file)
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF in _DISK or not os.access(self._file, os.W_OK):
                    raise
                self.lost = True
                self.close()
                _delete(self._file)
                self._open()
        except (OSError, sqlite3.Error) as error:
            raise cannot_write(path, error) from error

    def _open(self) -> None:
        # the folder has a lock already; shared folders may not support those of SQLite
        self._database = sqlite3.connect(f"{self._file.absolute().as_uri()}?nolock=1", uri=True)
        self._database.execute("pragma locking_mode = exclusive")
        self._database.execute("pragma synchronous = normal")
        self._database.execute("pragma user_version = 1")  # a damaged head may forbid to write
        self._database.execute(_TABLE)
        keys = self._database.execute("select distinct kind, number from parts order by kind, number").fetchall()
        self.damaged = [(kind, number) for kind, number in keys if self.get(kind, number) is None]
        for kind, number in self.damaged:
            self.drop(kind, number)

    def put(self, kind: str, number: int, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Add a record, or replace it.

        Raises:
            StoreError: If it cannot be written.
        """
        ordered = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        chunks = [chunk for array in ordered.values() for chunk in _chunks(array)]
        shapes = [[name, array.dtype.str, array.shape] for name, array in ordered.items()]
        text = json.dumps([facts, shapes])
        head = f"{_checksum([text.encode(), *chunks])} {text}"
        try:
            with self._database:
                self._delete_record(kind, number)
                for part, content in enumerate([head, *chunks]):
                    self._database.execute("insert into parts values (?, ?, ?, ?)", (kind, number, part, content))
        except sqlite3.Error as error:
            raise cannot_write(self.path, error) from error

    def get(self, kind: str, number: int) -> Record | None:
        """A record; None if it is missing or damaged."""
        query = "select content from parts where kind = ? and number = ? order by part"
        head, *chunks = [row[0] for row in self._database.execute(query, (kind, number))] or [""]
        checksum, _, text = str(head).partition(" ")
        if not all(isinstance(chunk, bytes) for chunk in chunks) or checksum != _checksum([text.encode(), *chunks]):
            return None
        facts, shapes = json.loads(text)
        arrays, rest = {}, iter(chunks)
        for name, dtype, shape in shapes:
            size = math.prod(shape) * np.dtype(dtype).itemsize
            content = bytearray().join(next(rest) for _ in range(0, size, CHUNK))
            arrays[name] = np.frombuffer(content, dtype).reshape(shape)
        return Record(facts, arrays)

    def numbers(self, kind: str) -> list[int]:
        """The numbers of all records of a kind, increasing."""
        query = "select distinct number from parts where kind = ? order by number"
        return [row[0] for row in self._database.execute(query, (kind,))]

    def records(self, kind: str) -> Iterator[Record]:
        """All records of a kind by increasing number, one in memory at a time."""
        for number in self.numbers(kind):
            if record := self.get(kind, number):
                yield record

    def drop(self, kind: str, *numbers: int) -> None:
        """Delete records.

        Raises:
            StoreError: If the file cannot be written.
        """
        try:
            with self._database:
                for number in numbers:
                    self._delete_record(kind, number)
        except sqlite3.Error as error:
            raise cannot_write(self.path, error) from error

    def _delete_record(self, kind: str, number: int) -> None:
        self._database.execute("delete from parts where kind = ? and number = ?", (kind, number))

    def close(self) -> None:
        """Close the file; what was put stays."""
        self._database.close()

    def remove(self) -> None:
        """Delete the store."""
        self.close()
        _delete(self._file)


def has_work(path: Path, identity: str) -> bool:
    """Whether a folder holds work of this identity, from a job that was killed or is running."""
    return _file(path, identity).exists()


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


def cannot_write(path: Path, error: Exception) -> StoreError:
    """The error for a work folder that cannot be written."""
    return StoreError(
        f"{path}: cannot be written ({error}); free space or correct the folder's rights, then run snakemake again: "
        "the job goes on from what it has kept"
    )


def _file(path: Path, identity: str) -> Path:
    return path / f"{identity[:40]}.sqlite"


def _delete(file: Path) -> None:
    """Delete a database and its journal. The database goes first: SQLite ignores a journal without one."""
    for name in (file.name, f"{file.name}-journal"):
        file.with_name(name).unlink(missing_ok=True)


def _chunks(array: NDArray[Any]) -> Iterator[memoryview]:
    content = array.reshape(-1).view(np.uint8).data if array.nbytes else memoryview(b"")
    return (content[start : start + CHUNK] for start in range(0, len(content), CHUNK))


def _checksum(parts: list[Any]) -> str:
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return f"{checksum:08x}"
