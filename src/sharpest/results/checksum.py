"""A checksum in the user block of an HDF5 file, verified before HDF5 sees a byte of the file.

HDF5 trusts what it reads of its own structures: overwritten ones can make it loop for ever. So all bytes of a file are
verified when it is opened, but for arrays of long rows (parameters, eigenvectors: nearly all of a large file). Each of
their rows has a checksum of its own, an attribute of the array, verified when the row is read: opening a file of many
gigabytes costs milliseconds, and what is read costs one pass of CRC-32, 2 GB/s on one core.

Beside the checksum stands a digest of what the file holds, and not of when and where it was made: whatever is made from
the file names it by this digest, which is read from the first kilobyte.
"""

import hashlib
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

from sharpest.errors import StoreError

USER_BLOCK = 1024  # bytes; HDF5 leaves them to applications
LONG_ROW = 2**20  # bytes; an attribute holds the checksums of 16,000 rows
ROW_CHECKSUMS = "crc32"
_MARK = b"sharpest "
_CHUNK = 2**20
# how a file came to be: attributes that are no part of what it holds, as arrays of seconds are none
_ORIGIN = frozenset({"code", "created", "device", "git", "origin", "packages", "reductions", "torch_threads"})


def has_long_rows(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether the rows of an array are verified one by one."""
    return math.prod(shape) > 0 and math.prod(shape[1:]) * dtype.itemsize >= LONG_ROW


def row_checksums(array: NDArray[Any]) -> NDArray[np.uint32]:
    """(t,) CRC-32 of the rows of an array (t, ...)."""
    return np.array([zlib.crc32(np.ascontiguousarray(row).data) for row in array], dtype=np.uint32)


def seal(path: str | Path) -> None:
    """Write checksum and digest into the user block of a finished HDF5 file, which has one of ``USER_BLOCK`` bytes."""
    with h5py.File(path, "r", locking=False) as file:
        long = [array for array in file.values() if ROW_CHECKSUMS in array.attrs]
        apart = sorted((array.id.get_offset(), array.id.get_storage_size()) for array in long)
        digest = content_digest(file)
    with open(path, "r+b") as stream:
        size = os.fstat(stream.fileno()).st_size
        checksum = _checksum(stream, size, apart, digest)
        sealed = {"size": size, "apart": apart, "digest": digest, "crc32": checksum}
        block = _MARK + json.dumps(sealed).encode()
        stream.seek(0)
        stream.write(block.ljust(USER_BLOCK, b"\0"))


def content_digest(file: h5py.File) -> str:
    """SHA-256 of what an open file holds: equal for files that differ in clock times and origin alone.

    Long rows count by their checksums.
    """
    digest = hashlib.sha256()
    for name in sorted(file.attrs.keys() - _ORIGIN):
        value = file.attrs[name]
        digest.update(f"{name} {value.item() if isinstance(value, np.generic) else value!r}\n".encode())
    for name, array in sorted(file.items()):
        if isinstance(array, h5py.Dataset) and array.attrs.get("unit") != "s":
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            content = array.attrs[ROW_CHECKSUMS] if ROW_CHECKSUMS in array.attrs else array[...]
            digest.update(np.ascontiguousarray(content).data)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """What names the contents of a finished file: of HDF5 the digest in its head, of any other its SHA-256.

    Empty where the head has none.

    Raises:
        StoreError: If the file cannot be read.
    """
    try:
        if path.suffix != ".h5":
            return hashlib.sha256(path.read_bytes()).hexdigest()
        with open(path, "rb") as stream:
            block = stream.read(USER_BLOCK)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); correct its rights or the disk") from None
    try:
        return str(_sealed(block)["digest"])
    except ValueError:
        return ""


def verify(path: str | Path) -> str:
    """Check all bytes of a file but those of rows with checksums of their own; returns its digest.

    Raises:
        ValueError: If they are not those that were written; the message says what is wrong.
        OSError: If the file cannot be read.
    """
    with open(path, "rb") as stream:
        sealed = _sealed(stream.read(USER_BLOCK))
        if os.fstat(stream.fileno()).st_size != sealed["size"]:
            raise ValueError(f"is truncated or damaged (it should have {sealed['size']} bytes)")
        if _checksum(stream, sealed["size"], sealed["apart"], sealed["digest"]) != sealed["crc32"]:
            raise ValueError("is damaged, or was changed by another program or version (its checksum differs)")
    return str(sealed["digest"])


def _sealed(block: bytes) -> dict[str, Any]:
    """What stands in a user block; an older version of the code wrote no digest."""
    if not block.startswith(_MARK):
        raise ValueError("is empty, truncated, of an older version or no results file (it has no checksum)")
    try:
        sealed = json.loads(block[len(_MARK) :].rstrip(b"\0"))
        apart = [(int(at), int(length)) for at, length in sealed["apart"]]
        return {"digest": "", "size": sealed["size"], "crc32": sealed["crc32"], **sealed, "apart": apart}
    except (ValueError, TypeError, KeyError):
        raise ValueError("is truncated or damaged (its checksum cannot be read)") from None


def _checksum(stream: BinaryIO, size: int, apart: list[tuple[int, int]], digest: str) -> int:
    """CRC-32 of size, places and digest, and of what lies behind the user block and not ``apart``.

    The places are (start, length) pairs.
    """
    head = [size, apart, digest] if digest else [size, apart]
    checksum = zlib.crc32(json.dumps(head).encode())
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
