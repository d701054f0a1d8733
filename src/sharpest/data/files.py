"""Read, verify and download data files; whatever goes wrong becomes one line with file and remedy."""

import hashlib
import os
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from sharpest.errors import DataError

_TIMEOUT = 60  # seconds without a byte, after which a connection counts as lost


def read_file(path: Path, remedy: str) -> bytes:
    """The whole content of a file.

    Raises:
        DataError: If the file or its folder does not exist, or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        missing = path if path.parent.is_dir() else f"{path}: its folder"
        raise DataError(f"{missing} does not exist; {remedy}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); {remedy}") from error


def check_sha256(content: bytes, sha256: str, name: object, remedy: str) -> None:
    """Compare bytes with their known checksum.

    Raises:
        DataError: If they differ.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"{name} has SHA-256 {found}, expected {sha256}: damaged or another file; {remedy}")


def fetch(url: str, path: Path, sha256: str, remedy: str) -> bytes:
    """The verified content of a file that is kept at ``path`` and downloaded where it is not there or damaged.

    Raises:
        DataError: If the download fails, has another checksum, or cannot be stored.
    """
    if os.path.exists(path):
        kept = read_file(path, remedy)
        if hashlib.sha256(kept).hexdigest() == sha256:
            return kept
    try:
        with urlopen(url, timeout=_TIMEOUT) as response:
            content: bytes = response.read()
    # ValueError: an address that is none; HTTPException: a connection that ends early
    except (OSError, HTTPException, ValueError) as error:
        raise DataError(
            f"{path.name} cannot be downloaded from {url} ({error}): no connection or a wrong address; {remedy}"
        ) from error
    check_sha256(content, sha256, url, remedy)
    # two jobs may fetch the same file, so each writes its own and the rename decides
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise DataError(f"{path}: cannot be written ({error}); free space or correct the folder's rights") from error
    return content
