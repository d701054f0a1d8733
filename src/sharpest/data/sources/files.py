"""Find, read, verify and download data files; every failure is reported in one line with file and remedy."""

import hashlib
import io
import os
import posixpath
import tarfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from sharpest.errors import DataError

_TIMEOUT = 60  # seconds without data after which a connection counts as lost
_ALGORITHMS = {32: "MD5", 64: "SHA-256"}  # by the number of hexadecimal digits


def read_file(path: Path, remedy: str) -> bytes:
    """The whole content of a file.

    Raises:
        DataError: If the file or its folder does not exist, or cannot be read.
    """
    # unlike methods of Path, these are false for a name that is too long; a folder has its own error below
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise DataError(f"{path} is not a regular file; {remedy}")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        missing = path if path.parent.is_dir() else f"{path}: its folder"
        raise DataError(f"{missing} does not exist; {remedy}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); {remedy}") from error


def check_digest(content: bytes, digest: str, name: object, remedy: str) -> None:
    """Compare bytes with their known checksum.

    Args:
        content: The bytes.
        digest: MD5 or SHA-256 in hexadecimal; its length tells which.
        name: Name of the bytes in the message.
        remedy: What to do if they are wrong.

    Raises:
        DataError: If they differ.
    """
    computed = _digest_like(digest, content)
    if computed != digest:
        raise DataError(
            f"{name} has {_ALGORITHMS[len(digest)]} {computed}, expected {digest}: damaged or wrong file; {remedy}"
        )


def _digest_like(digest: str, content: bytes) -> str:
    algorithm = _ALGORITHMS[len(digest)].replace("-", "").lower()
    return hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()


def fetch(url: str, path: Path, digest: str, remedy: str) -> bytes:
    """The verified content of a file that is kept at ``path``, downloaded first if it is missing or damaged.

    Raises:
        DataError: If the download fails, has the wrong checksum, or cannot be stored.
    """
    if os.path.exists(path):
        kept = read_file(path, remedy)
        if _digest_like(digest, kept) == digest:
            return kept
    try:
        with urlopen(url, timeout=_TIMEOUT) as response:  # noqa: S310 - any scheme: the checksum is verified
            content: bytes = response.read()
    # ValueError: an invalid address; HTTPException: a connection that ends early
    except (OSError, HTTPException, ValueError) as error:
        raise DataError(
            f"{path.name} cannot be downloaded from {url} ({error}): no connection or wrong address; {remedy}"
        ) from error
    check_digest(content, digest, url, remedy)
    # two jobs may fetch the same file, so each writes a file of its own and renames it
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise DataError(
            f"{path}: cannot be written ({error}); free space or correct the folder's permissions"
        ) from error
    return content


def read_or_fetch(name: str, folder: Path | None, url: str, cache: Path, digest: str, remedy: str) -> tuple[bytes, str]:
    """The verified content of a file, from the given folder or else from a download; and where it came from.

    Raises:
        DataError: If it is missing, damaged or the wrong file, or the download fails.
    """
    if folder is None:
        return fetch(url, cache / name, digest, remedy), url
    path = folder / name
    content = read_file(path, remedy)
    check_digest(content, digest, path, remedy)
    return content, str(path)


def folder_with(names: Iterable[str], *places: Path) -> Path | None:
    """The first of the folders that holds at least one of the files; None if none does."""
    names = list(names)
    return next((place for place in places if any(os.path.isfile(place / name) for name in names)), None)


def read_members(content: bytes, names: Iterable[str], archive: str, remedy: str) -> dict[str, bytes]:
    """Members of a packed tar archive, by path and in the order of ``names``; nothing is written to disk.

    Raises:
        DataError: If the archive is damaged, or lacks a member.
    """
    names = list(names)
    members = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
            for member in tar:
                path = posixpath.normpath(member.name)  # some archives have ./ before each path
                # a link would lead to another member, or out of the archive
                if path in names and member.isfile() and (file := tar.extractfile(member)) is not None:
                    members[path] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{archive} is truncated or damaged ({error}); {remedy}") from error
    if missing := [name for name in names if name not in members]:
        raise DataError(f"{archive} lacks {', '.join(missing)}; {remedy}")
    return {name: members[name] for name in names}
