"""A checksum in the user block of an HDF5 file, verified before HDF5 sees a byte of the file.

HDF5 trusts what it reads of its own structures: overwritten ones can make it loop for ever. So all bytes of a file are
verified when it is opened, but for arrays of long rows (parameters, eigenvectors: nearly all of a large file). Each of
their rows has a checksum of its own, an attribute of the array, verified when the row is read: opening a file of many
gigabytes costs milliseconds, and what is read costs one pass of CRC-32, 2 GB/s on one core.
"""

import json
import math
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

USER_BLOCK = 1024  # bytes; HDF5 leaves them to applications
LONG_ROW = 2**20  # bytes; an attribute holds the checksums of 16,000 rows
ROW_CHECKSUMS = "crc32"
_MARK = b"sharpest "
_CHUNK = 2**20


def has_long_rows(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether the rows of an array are verified one by one."""
    return math.prod(shape) > 0 and math.prod(shape[1:]) * dtype.itemsize >= LONG_ROW


def row_checksums(array: NDArray[Any]) -> NDArray[np.uint32]:
    """(t,) CRC-32 of the rows of an array (t, ...)."""
    return np.array([zlib.crc32(np.ascontiguousarray(row).data) for row in array], dtype=np.uint32)


def seal(path: str | Path) -> None:
    """Write the checksum into the user block of a finished HDF5 file, which has one of ``USER_BLOCK`` bytes."""
    with h5py.File(path, "r", locking=False) as file:
        long = [array for array in file.values() if ROW_CHECKSUMS in array.attrs]
        apart = sorted((array.id.get_offset(), array.id.get_storage_size()) for array in long)
    with open(path, "r+b") as stream:
        size = os.fstat(stream.fileno()).st_size
        sealed = {"size": size, "apart": apart, "crc32": _checksum(stream, size, apart)}
        block = _MARK + json.dumps(sealed).encode()
        stream.seek(0)
        stream.write(block.ljust(USER_BLOCK, b"\0"))


def seal_of(path: str | Path) -> str:
    """The checksum of a finished file, of all its bytes: two files of other contents, or of other times, differ."""
    with open(path, "rb") as stream:
        return stream.read(USER_BLOCK).rstrip(b"\0").decode(errors="replace")


def verify(path: str | Path) -> None:
    """Check all bytes of a file but those of rows with checksums of their own.

    Raises:
        ValueError: If they are not those that were written; the message says what is wrong.
        OSError: If the file cannot be read.
    """
    with open(path, "rb") as stream:
        block = stream.read(USER_BLOCK)
        if not block.startswith(_MARK):
            raise ValueError("is empty, truncated, of an older version or no results file (it has no checksum)")
        try:
            sealed = json.loads(block[len(_MARK) :].rstrip(b"\0"))
            size, apart, checksum = (
                sealed["size"],
                [(int(at), int(length)) for at, length in sealed["apart"]],
                sealed["crc32"],
            )
        except (ValueError, TypeError, KeyError):
            raise ValueError("is truncated or damaged (its checksum cannot be read)") from None
        if os.fstat(stream.fileno()).st_size != size:
            raise ValueError(f"is truncated or damaged (it should have {size} bytes)")
        if _checksum(stream, size, apart) != checksum:
            raise ValueError("is damaged, or was changed by another program or version (its checksum differs)")


def _checksum(stream: BinaryIO, size: int, apart: list[tuple[int, int]]) -> int:
    """CRC-32 of size and places, and of what lies behind the user block and not ``apart``, as (start, length) pairs."""
    checksum = zlib.crc32(json.dumps([size, apart]).encode())
    for start, end in _between(size, apart):
        stream.seek(start)
        while start < end:
            content = stream.read(min(_CHUNK, end - start))
            checksum = zlib.crc32(content, checksum)
            # behind the end of a file, where a damaged block may point, there is nothing to read
            start += len(content) or end - start
    return checksum


def _between(size: int, apart: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    position = USER_BLOCK
    for start, length in apart:
        yield position, start
        position = start + length
    yield position, size
