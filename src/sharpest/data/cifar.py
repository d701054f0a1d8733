"""CIFAR-10 and CIFAR-100 from their Python pickles, in the archive or unpacked."""

import io
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.data.decoded import DecodedImages
from sharpest.data.files import check_digest, folder_with, read_file, read_members, read_or_fetch
from sharpest.data.sources import IMAGE_SOURCES
from sharpest.errors import DataError


@dataclass(frozen=True)
class Cifar:
    """How one of the two sets is packed.

    Attributes:
        source: Its name in ``sharpest.data.sources``.
        archive: Name of the archive.
        sha256: Of the archive.
        folder: The folder inside the archive.
        members: MD5 of each batch by its name in that folder, the training batches in order, then the test batch.
        labels: The key of the classes in a batch.
    """

    source: str
    archive: str
    sha256: str
    folder: str
    members: Mapping[str, str]
    labels: bytes

    @property
    def title(self) -> str:
        return IMAGE_SOURCES[self.source].title

    @property
    def url(self) -> str:
        """The canonical address of the archive."""
        return f"https://www.cs.toronto.edu/~kriz/{self.archive}"

    @property
    def remedy(self) -> str:
        """What to do when a file is wrong."""
        return (
            f"get {self.archive} anew, e.g. from {self.url}, "
            f"and set sources.{self.source}.folder in config/config.yaml to its folder"
        )


CIFAR10 = Cifar(
    source="cifar-10",
    archive="cifar-10-python.tar.gz",
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    folder="cifar-10-batches-py",
    members={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    labels=b"labels",
)
CIFAR100 = Cifar(
    source="cifar-100",
    archive="cifar-100-python.tar.gz",
    sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    folder="cifar-100-python",
    members={
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    },
    labels=b"fine_labels",
)


def load_cifar(cifar: Cifar, folder: Path | None, url: str | None, cache: Path) -> DecodedImages:
    """The training batches in order, then the test batch, from the archive or from its unpacked files.

    Nothing is unpacked or unpickled before its checksum was found right.

    Args:
        cifar: Which set.
        folder: Holds the archive, or the folder that the archive unpacks to, or is that folder; none = download.
        url: Address of the archive; none = the canonical one.
        cache: Where the downloaded archive is kept.

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
    # every file is read once: the bytes that were checked are the bytes that are unpickled
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
    """Images (m, 3, 32, 32), from rows that hold the red, the green and the blue plane; and classes (m,)."""
    try:
        # the batches were pickled by Python 2, whose texts are bytes
        batch = _BatchUnpickler(io.BytesIO(pickled), encoding="bytes").load()
        return batch[b"data"].reshape(-1, 3, 32, 32), np.asarray(batch[cifar.labels], dtype=np.int64)
    except Exception as error:  # a malformed pickle may raise anything
        raise DataError(f"{name} is no batch of {cifar.title} ({error}); {cifar.remedy}") from error


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
