"""CIFAR-10 from its archive of Python pickles."""

import io
import pickle
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.data.decoded import DecodedData
from sharpest.data.files import check_sha256, fetch, read_file
from sharpest.errors import DataError

CIFAR10_ARCHIVE = "cifar-10-python.tar.gz"
CIFAR10_URL = f"https://www.cs.toronto.edu/~kriz/{CIFAR10_ARCHIVE}"
CIFAR10_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"

_FOLDER = "cifar-10-batches-py"
_TRAIN = [f"data_batch_{i}" for i in range(1, 6)]
_TEST = "test_batch"
_REMEDY = (
    f"get {CIFAR10_ARCHIVE} anew, e.g. from {CIFAR10_URL}, "
    "and set sources.cifar-10.folder in config/config.yaml to its folder"
)


def load_cifar10(folder: Path | None, url: str | None, cache: Path, sha256: str = CIFAR10_SHA256) -> DecodedData:
    """CIFAR-10 from the archive in the folder given, else downloaded; batches 1 to 5 in order, then the test batch.

    Args:
        folder: Holds cifar-10-python.tar.gz; none = download.
        url: Address of the archive; none = the canonical one.
        cache: Where the downloaded archive is kept.
        sha256: Of the archive. Nothing is unpacked or unpickled before it was found right.

    Raises:
        DataError: If the archive is missing, damaged or not the original, or a download fails; names file and remedy.
    """
    # the archive is read once: the bytes that were checked are the bytes that are unpickled
    if folder is not None:
        origin = str(folder / CIFAR10_ARCHIVE)
        content = read_file(folder / CIFAR10_ARCHIVE, _REMEDY)
        check_sha256(content, sha256, origin, _REMEDY)
    else:
        origin = url or CIFAR10_URL
        content = fetch(origin, cache / CIFAR10_ARCHIVE, sha256, _REMEDY)
    members = _read_members(content, origin)
    batches = {name: _decode(pickled, f"{origin}, member {name}") for name, pickled in members.items()}
    return DecodedData(
        np.concatenate([batches[name][0] for name in _TRAIN]),
        np.concatenate([batches[name][1] for name in _TRAIN]),
        *batches[_TEST],
        origin,
    )


def _read_members(content: bytes, archive: str) -> dict[str, bytes]:
    """The pickled batches, by name; nothing is written to disk."""
    members = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
            for member in tar:
                folder, _, name = member.name.rpartition("/")
                if folder == _FOLDER and name in (*_TRAIN, _TEST) and (file := tar.extractfile(member)) is not None:
                    members[name] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{archive} is truncated or damaged ({error}); {_REMEDY}") from error
    if missing := [name for name in (*_TRAIN, _TEST) if name not in members]:
        raise DataError(f"{archive} lacks {', '.join(f'{_FOLDER}/{name}' for name in missing)}; {_REMEDY}")
    return members


def _decode(pickled: bytes, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (m, 3, 32, 32), from rows that hold the red, the green and the blue plane; and classes (m,)."""
    try:
        # the batches were pickled by Python 2, whose texts are bytes
        batch = _BatchUnpickler(io.BytesIO(pickled), encoding="bytes").load()
        return batch[b"data"].reshape(-1, 3, 32, 32), np.asarray(batch[b"labels"], dtype=np.int64)
    except Exception as error:  # a malformed pickle may raise anything
        raise DataError(f"{name} is no batch of CIFAR-10 ({error}); {_REMEDY}") from error


def _reconstruct(*_: object) -> NDArray[np.uint8]:
    """An empty array, which the pickle then fills. numpy's own would make any class, and moves between versions."""
    return np.empty(0, np.uint8)


def _encode(text: str, encoding: str) -> bytes:
    """``_codecs.encode`` as Python 3 pickles bytes with it, without the codecs that transform."""
    return text.encode(encoding)


# What an array of numbers needs. ndarray is an argument of _reconstruct only: called, it could point at any memory.
_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
}


class _BatchUnpickler(pickle.Unpickler):
    """Knows arrays of numbers and nothing else: a pickle cannot name code that it would run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _KNOWN[module, name]
