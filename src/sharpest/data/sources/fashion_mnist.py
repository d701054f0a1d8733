"""Fashion-MNIST from its four idx files."""

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sharpest.config.sources import FASHION_MNIST as SOURCE
from sharpest.data.sources.decoded import DecodedImages
from sharpest.data.sources.files import fetch, read_file
from sharpest.errors import DataError

__all__ = ["SOURCE", "load"]

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

_REMEDY = (
    "install Debian's dataset-fashion-mnist or set sources.fashion-mnist.folder in config/config.yaml "
    "to a folder with the four original files"
)
_UBYTE = 8  # the idx code of unsigned bytes, third byte of the magic number; the fourth is the number of dimensions


def load(folder: Path | None, url: str | None, cache: Path, sha256: str | None = FASHION_MNIST_SHA256) -> DecodedImages:
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
        arrays = {name: _read(folder, name) for name in FASHION_MNIST_FILES}
    else:
        origin = (url or FASHION_MNIST_URL).rstrip("/")
        arrays = {
            name: _decode(fetch(f"{origin}/{name}.gz", cache / f"{name}.gz", packed_sha256, _REMEDY), f"{name}.gz")
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
            f"{origin}: the decoded arrays have SHA-256 {data.sha256}, Fashion-MNIST has {sha256}; {_REMEDY}"
        )
    return data


def _read(folder: Path, name: str) -> NDArray[np.uint8]:
    """The array of a file, which may be packed or unpacked."""
    packed, unpacked = folder / f"{name}.gz", folder / name
    path = unpacked if os.path.exists(unpacked) and not os.path.exists(packed) else packed
    return _decode(read_file(path, _REMEDY), str(path))


def _decode(content: bytes, name: str) -> NDArray[np.uint8]:
    """An idx file: two zeros, type, number of dimensions, the sizes as big-endian uint32, then the values."""
    if name.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{name} is truncated or damaged ({error}); {_REMEDY}") from error
    num_dims = int(name.rpartition("idx")[2][0])  # 3 of train-images-idx3-ubyte
    magic = bytes((0, 0, _UBYTE, num_dims))
    if content[:4] != magic:
        raise DataError(f"{name} begins with {content[:4].hex()}, expected the idx header {magic.hex()}; {_REMEDY}")
    start = 4 + 4 * num_dims
    if len(content) < start:
        raise DataError(f"{name} is truncated in its header; {_REMEDY}")
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    if len(content) - start != math.prod(shape):
        raise DataError(f"{name} holds {len(content) - start} values, but its header says {shape}; {_REMEDY}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
