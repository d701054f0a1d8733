"""Images: CIFAR-10 and CIFAR-100, Fashion-MNIST, digits of scikit-learn, and a user's own."""

from __future__ import annotations

import gzip
import io
import math
import os
import pickle  # noqa: TID251 - each batch passes its checksum first; the unpickler accepts arrays only
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.config.sources import CIFAR_10, CIFAR_100, DIGITS
from sharpest.data.sources.decoded import DecodedImages
from sharpest.data.sources.files import check_digest, fetch, folder_with, read_file, read_members, read_or_fetch
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
    *train, test = [_cifar_batch(cifar, pickled, f"{origin}, member {name}") for name, pickled in members.items()]
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


def _cifar_batch(cifar: Cifar, pickled: bytes, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
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


CIFAR10 = Cifar(
    source="cifar-10",
    title=CIFAR_10.title,
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
read_cifar_10 = partial(load_cifar, CIFAR10)


CIFAR100 = Cifar(
    source="cifar-100",
    title=CIFAR_100.title,
    archive="cifar-100-python.tar.gz",
    sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    folder="cifar-100-python",
    members={
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    },
    labels=b"fine_labels",
)
read_cifar_100 = partial(load_cifar, CIFAR100)


# DecodedImages.sha256 of the files in Debian's dataset-fashion-mnist 0.0~git20200523. They unpack to the original
# bytes: with the name and time that Debian strips from the gzip header restored, they have the SHA-256 listed below.
FASHION_MNIST_SHA256 = "b42e0f3189f494f730119201c9e1a41654a875ffd564ea07b7cf8032d5327c02"
FASHION_MNIST_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
# the original files and the SHA-256 of each .gz (torchvision, TensorFlow Datasets)
FASHION_MNIST_FILES = {
    "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")

_FASHION_REMEDY = (
    "install Debian's dataset-fashion-mnist or set sources.fashion-mnist.folder in config/config.yaml "
    "to a folder with the four original files"
)
_UBYTE = 8  # the idx code of unsigned bytes, third byte of the magic number; the fourth is the number of dimensions


def read_fashion_mnist(
    folder: Path | None, url: str | None, cache: Path, sha256: str | None = FASHION_MNIST_SHA256
) -> DecodedImages:
    """Fashion-MNIST from the given folder, else from Debian's folder, else from a download.

    Args:
        folder: Holds the four idx files, packed (.gz) or not; None = Debian's folder, or a download.
        url: Address of the folder with the four .gz files; None = the canonical one.
        cache: The folder for downloaded files.
        sha256: Expected ``DecodedImages.sha256``; None = not checked.

    Raises:
        DataError: If a file is missing, damaged or not the original, or a download fails; names file and remedy.
    """
    if folder is None and DEBIAN_FOLDER.is_dir():
        folder = DEBIAN_FOLDER
    if folder is not None:
        origin = str(folder)
        arrays = {name: _read_idx(folder, name) for name in FASHION_MNIST_FILES}
    else:
        origin = (url or FASHION_MNIST_URL).rstrip("/")
        arrays = {
            name: _idx_array(
                fetch(f"{origin}/{name}.gz", cache / f"{name}.gz", packed_sha256, _FASHION_REMEDY), f"{name}.gz"
            )
            for name, packed_sha256 in FASHION_MNIST_FILES.items()
        }
    data = DecodedImages(
        arrays["train-images-idx3-ubyte"][:, np.newaxis],
        arrays["train-labels-idx1-ubyte"].astype(np.int64),
        arrays["t10k-images-idx3-ubyte"][:, np.newaxis],
        arrays["t10k-labels-idx1-ubyte"].astype(np.int64),
        origin=origin,
    )
    if sha256 is not None and data.sha256 != sha256:
        raise DataError(
            f"{origin}: the decoded arrays have SHA-256 {data.sha256}, Fashion-MNIST has {sha256}; {_FASHION_REMEDY}"
        )
    return data


def _read_idx(folder: Path, name: str) -> NDArray[np.uint8]:
    """The array of a file, which may be packed or unpacked."""
    packed, unpacked = folder / f"{name}.gz", folder / name
    path = unpacked if os.path.exists(unpacked) and not os.path.exists(packed) else packed
    return _idx_array(read_file(path, _FASHION_REMEDY), str(path))


def _idx_array(content: bytes, name: str) -> NDArray[np.uint8]:
    """An idx file: two zeros, type, number of dimensions, the sizes as big-endian uint32, then the values."""
    if name.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{name} is truncated or damaged ({error}); {_FASHION_REMEDY}") from error
    num_dims = int(name.rpartition("idx")[2][0])  # 3 of train-images-idx3-ubyte
    magic = bytes((0, 0, _UBYTE, num_dims))
    if content[:4] != magic:
        raise DataError(
            f"{name} begins with {content[:4].hex()}, expected the idx header {magic.hex()}; {_FASHION_REMEDY}"
        )
    start = 4 + 4 * num_dims
    if len(content) < start:
        raise DataError(f"{name} is truncated in its header; {_FASHION_REMEDY}")
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    if len(content) - start != math.prod(shape):
        raise DataError(f"{name} holds {len(content) - start} values, but its header says {shape}; {_FASHION_REMEDY}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


_LARGEST_DIGIT = 16  # the grey values of the 8x8 images are 0 to 16


def read_digits(*_: object) -> DecodedImages:
    """1,797 images of 8x8 pixels, scaled to 0..255: 1,497 for training and validation, 300 for the test.

    The set comes without a split and is ordered by writer, so it is first shuffled by a fixed permutation. NumPy has
    frozen ``RandomState``, so the permutation is the same in every version.
    """
    import sklearn.datasets

    digits = sklearn.datasets.load_digits()
    order = np.random.RandomState(0).permutation(len(digits.target))
    inputs = np.rint(digits.images[order, np.newaxis] * (255 / _LARGEST_DIGIT)).astype(np.uint8)
    targets = digits.target[order].astype(np.int64)
    return DecodedImages(
        inputs[: DIGITS.num_train],
        targets[: DIGITS.num_train],
        inputs[DIGITS.num_train :],
        targets[DIGITS.num_train :],
        origin=f"scikit-learn {sklearn.__version__}, bundled digits",
    )


OWN_FILE = "own-images.npz"
_OWN_ARRAYS = {
    "train_inputs": (np.uint8, 4),
    "train_targets": (np.int64, 1),
    "test_inputs": (np.uint8, 4),
    "test_targets": (np.int64, 1),
}
_OWN_REMEDY = (
    "write it with numpy.savez: train_inputs and test_inputs, uint8 (number, channels, height, width), and "
    "train_targets and test_targets, whole numbers from 0"
)


def read_own_images(folder: Path | None, *_: object) -> DecodedImages:
    """The arrays of the file.

    Args:
        folder: Holds own-images.npz; None = ``data``.

    Raises:
        DataError: If the file is missing or unreadable, or if an array is missing or has the wrong type or number of
            dimensions; names file and remedy.
    """
    path = (folder or Path("data")) / OWN_FILE
    try:
        content = io.BytesIO(read_file(path, _OWN_REMEDY))
        with np.load(content, allow_pickle=False) as file:  # noqa: TID251 - no pickles
            arrays = {name: file[name] for name in _OWN_ARRAYS}
    except DataError:
        raise
    except Exception as error:  # a malformed file may raise anything
        raise DataError(f"{path} cannot be read ({error}); {_OWN_REMEDY}") from error
    for name, (dtype, dimensions) in _OWN_ARRAYS.items():
        if arrays[name].ndim != dimensions or not np.can_cast(arrays[name].dtype, dtype):
            raise DataError(f"{path}: {name} is {arrays[name].dtype} {arrays[name].shape}; {_OWN_REMEDY}")
    return DecodedImages(
        **{name: arrays[name].astype(dtype) for name, (dtype, _) in _OWN_ARRAYS.items()}, origin=str(path)
    )
