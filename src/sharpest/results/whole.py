"""Files that are whole: written at once, with a checksum in the user block of an HDF5 file that is verified before HDF5
reads a byte of it.

HDF5 trusts its own structures: if they are overwritten, it can loop forever. Opening a file therefore verifies all of
its bytes, except arrays of long rows (parameters, eigenvectors: nearly all of a large file). Each long row has its own
checksum, which is stored in an attribute of the array and verified when the row is read. Opening a file of many
gigabytes thus costs milliseconds, and reading costs one pass of CRC-32, 2 GB/s on one core.

The user block also holds a digest of the file's content, which does not depend on when and where the file was made.
Files made from this one record its digest. Reading the digest takes only the first kilobyte of the file.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from sharpest.errors import StoreError


def present(path: Path) -> Path:
    """The path itself, if the file exists.

    Raises:
        StoreError: If the file does not exist, or is not a regular file.
    """
    if not path.exists():
        raise StoreError(f"{path}: does not exist; {_how_to_make(path)}")
    return regular(path)


def regular(path: Path) -> Path:
    """The path itself, unless something else than a file is there: reading a pipe or a device may never end.

    Raises:
        StoreError: If a pipe, a device or a folder is there.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # unlike methods of Path, false for a name that is too long
        raise StoreError(f"{path}: is not a regular file; remove it")
    return path


def remedy(path: str | Path) -> str:
    """The remedy for a damaged or unexpected file, for messages."""
    if Path(path).suffix == _STORED:
        return f"delete it and run snakemake again to make {Path(path).name}"
    return f"make it again with: snakemake --cores all --forcerun {path} -- {path}"


def _how_to_make(path: Path) -> str:
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


_STORED = ".h5"
USER_BLOCK = 1024  # bytes that HDF5 leaves to applications
LONG_ROW = 2**20  # bytes; an attribute has room for the checksums of 16,000 rows
ROW_CHECKSUMS = "crc32"
_MARK = b"sharpest "
_CHUNK = 2**20
# attributes about the making of a file; the digest leaves them out, and also arrays in seconds
_ORIGIN = frozenset({"code", "created", "device", "git", "origin", "packages", "reductions", "torch_threads"})


def has_long_rows(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether each row of an array has its own checksum."""
    return math.prod(shape) > 0 and math.prod(shape[1:]) * dtype.itemsize >= LONG_ROW


def row_checksums(array: NDArray[Any]) -> NDArray[np.uint32]:
    """CRC-32 of each row, (t,), of an array (t, ...)."""
    return np.array([zlib.crc32(np.ascontiguousarray(row).data) for row in array], dtype=np.uint32)


def seal(path: str | Path, original: str | None = None) -> None:
    """Write checksum and digest into the user block (``USER_BLOCK`` bytes) of a finished HDF5 file.

    Args:
        path: The file.
        original: For a copy without some arrays: the digest of its original, by which it goes. The digest of the copy
            is kept as ``own``.
    """
    with h5py.File(path, "r", locking=False) as file:
        long_arrays = [array for array in file.values() if ROW_CHECKSUMS in array.attrs]
        apart = sorted((array.id.get_offset(), array.id.get_storage_size()) for array in long_arrays)
        digest = content_digest(file)
    own = {} if original is None else {"own": digest}
    digest = original or digest
    with open(path, "r+b") as stream:
        size = os.fstat(stream.fileno()).st_size
        checksum = _checksum(stream, size, apart, digest)
        block = _MARK + json.dumps({"size": size, "apart": apart, "digest": digest, **own, "crc32": checksum}).encode()
        stream.seek(0)
        stream.write(block.ljust(USER_BLOCK, b"\0"))


def own_digest(path: Path) -> str:
    """The digest of the content of a verified file; it differs from ``digest_of`` only for an abridged copy."""
    with open(path, "rb") as stream:
        sealed = _sealed(stream.read(USER_BLOCK))
    return str(sealed.get("own", sealed["digest"]))


def content_digest(file: h5py.File) -> str:
    """SHA-256 of the content of an open file: equal for files that differ only in clock times and origin.

    Long rows enter by their checksums.
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
    """The digest that identifies the content of a finished file: for HDF5 the one in its user block, else its SHA-256.

    Empty if the user block holds no digest.

    Raises:
        StoreError: If the file cannot be read.
    """
    with _opened(path) as stream:
        if path.suffix != _STORED:
            return hashlib.sha256(stream.read()).hexdigest()
        block = stream.read(USER_BLOCK)
    try:
        return str(_sealed(block)["digest"])
    except ValueError:
        return ""


@contextmanager
def _opened(path: str | Path) -> Iterator[BinaryIO]:
    """An open file.

    Raises:
        StoreError: If it is missing, is not a regular file, or cannot be read.
    """
    try:
        with open(present(Path(path)), "rb") as stream:
            yield stream
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); fix its permissions or the disk") from None


def verify(path: str | Path) -> str:
    """Verify all bytes of a file, except rows with their own checksums, and return its digest.

    Raises:
        StoreError: If it is missing, cannot be read, or its bytes differ from those that were written.
    """
    with _opened(path) as stream:
        try:
            sealed = _sealed(stream.read(USER_BLOCK))
            if os.fstat(stream.fileno()).st_size != sealed["size"]:
                raise ValueError(f"is truncated or damaged (expected {sealed['size']} bytes)")
            if _checksum(stream, sealed["size"], sealed["apart"], sealed["digest"]) != sealed["crc32"]:
                raise ValueError(
                    "is damaged, or was changed by another program or version (its checksum does not match)"
                )
        except ValueError as error:
            raise StoreError(f"{path}: {error}; {remedy(path)}") from None
    return str(sealed["digest"])


def _sealed(block: bytes) -> dict[str, Any]:
    """The content of a user block; older versions of the code wrote no digest."""
    if not block.startswith(_MARK):
        raise ValueError("is empty, truncated, of an older version, or not a results file (it has no checksum)")
    try:
        sealed = json.loads(block[len(_MARK) :].rstrip(b"\0"))
        apart = [(int(start), int(length)) for start, length in sealed["apart"]]
        return {"digest": "", "size": sealed["size"], "crc32": sealed["crc32"], **sealed, "apart": apart}
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise ValueError("is truncated or damaged (its checksum cannot be read)") from None


def _checksum(stream: BinaryIO, size: int, apart: list[tuple[int, int]], digest: str) -> int:
    """CRC-32 of size, ``apart`` and digest, and of the bytes after the user block that are not ``apart``.

    ``apart`` holds the byte ranges of the long rows as (start, length) pairs.
    """
    head = [size, apart, digest] if digest else [size, apart]
    checksum = zlib.crc32(json.dumps(head).encode())
    for start, end in _between(size, apart):
        stream.seek(start)
        while start < end:
            content = stream.read(min(_CHUNK, end - start))
            checksum = zlib.crc32(content, checksum)
            # a damaged user block may point beyond the end of the file, where nothing can be read
            start += len(content) or end - start
    return checksum


def _between(size: int, apart: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The byte ranges (start, end) after the user block that are not ``apart``."""
    position = USER_BLOCK
    for start, length in apart:
        yield position, start
        position = start + length
    yield position, size
