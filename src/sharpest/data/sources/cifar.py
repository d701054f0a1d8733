"""The common format of CIFAR-10 and CIFAR-100: Python pickles, in an archive or unpacked."""

import io
import os
import pickle  # noqa: TID251 - each batch passes its checksum first; the unpickler accepts arrays only
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.data.sources.decoded import DecodedImages
from sharpest.data.sources.files import check_digest, folder_with, read_file, read_members, read_or_fetch
from sharpest.errors import DataError


@dataclass(frozen=True)
class Cifar:
    """How one of the two data sets is packed.

    Attributes:
        source: Its name in a configuration.
        title: Its name for readers.
        archive: File name of the archive.
        sha256: Checksum of the archive.
        folder: The folder inside the archive.
        members: Batch file in that folder -> its MD5; the training batches in order, then the test batch.
        labels: The key of the classes in a batch.
    """

    source: str
    title: str
    archive: str
    sha256: str
    folder: str
    members: Mapping[str, str]
    labels: bytes

    @property
    def url(self) -> str:
        """The canonical address of the archive."""
        return f"https://www.cs.toronto.edu/~kriz/{self.archive}"

    @property
    def remedy(self) -> str:
        """What to do when a file is wrong."""
        return (
            f"get {self.archive} again, e.g. from {self.url}, "
            f"and set sources.{self.source}.folder in config/config.yaml to its folder"
        )


def load_cifar(cifar: Cifar, folder: Path | None, url: str | None, cache: Path) -> DecodedImages:
    """The training batches in order, then the test batch, from the archive or from its unpacked files.

    Every checksum is verified before anything is unpacked or unpickled.

    Args:
        cifar: The data set.
        folder: Holds the archive, or the folder that the archive unpacks to, or is that folder; None = download.
        url: Address of the archive; None = the canonical one.
        cache: The folder for the downloaded archive.

    Raises:
        DataError: If a file is missing, damaged or not the original, or a download fails; names file and remedy.
    """
    members, origin = _read_batches(cifar, folder, url, cache)
    *train, test = [_decode(cifar, pickled, f"{origin}, member {name}") for name, pickled in members.items()]
    return DecodedImages(
        np.concatenate([images for images, _ in train]),
        np.concatenate([targets for _, targets in train]),
        *test,
        origin=origin,
    )


def _read_batches(cifar: Cifar, folder: Path | None, url: str | None, cache: Path) -> tuple[dict[str, bytes], str]:
    """The verified batches by name, still pickled, and where they came from."""
    # every file is read once, so that the bytes unpickled are the bytes verified
    places = []
    if folder is not None and not os.path.isfile(folder / cifar.archive):
        places = [folder / cifar.folder, folder]
    if (unpacked := folder_with(cifar.members, *places)) is not None:
        members = {name: read_file(unpacked / name, cifar.remedy) for name in cifar.members}
        for name, md5 in cifar.members.items():
            check_digest(members[name], md5, unpacked / name, cifar.remedy)
        return members, str(unpacked)
    content, origin = read_or_fetch(cifar.archive, folder, url or cifar.url, cache, cifar.sha256, cifar.remedy)
    names = [f"{cifar.folder}/{name}" for name in cifar.members]
    members = read_members(content, names, origin, cifar.remedy)
    return dict(zip(cifar.members, members.values(), strict=True)), origin


def _decode(cifar: Cifar, pickled: bytes, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (m, 3, 32, 32), from rows of a red, a green and a blue plane; and classes (m,)."""
    try:
        # the batches were pickled by Python 2, whose strings are bytes
        batch = _BatchUnpickler(io.BytesIO(pickled), encoding="bytes").load()
        return batch[b"data"].reshape(-1, 3, 32, 32), np.asarray(batch[cifar.labels], dtype=np.int64)
    except Exception as error:  # a malformed pickle may raise anything
        raise DataError(f"{name} is not a batch of {cifar.title} ({error}); {cifar.remedy}") from error


def _reconstruct(*_: object) -> NDArray[np.uint8]:
    """An empty array, which the pickle fills. NumPy's own function makes objects of any class, and has moved."""
    return np.empty(0, np.uint8)


def _encode(text: str, encoding: str) -> bytes:
    """``_codecs.encode``, by which Python 3 pickles bytes, restricted to text encodings."""
    return text.encode(encoding)


# The names in the pickle of a numeric array. ndarray is only passed to _reconstruct: a call could read any memory.
_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
}


class _BatchUnpickler(pickle.Unpickler):
    """Accepts numeric arrays only, so that a pickle cannot run any other code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _KNOWN[module, name]
