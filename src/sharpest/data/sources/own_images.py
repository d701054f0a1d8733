"""A user's images, from one file of arrays (docs/your-own.md)."""

import io
from pathlib import Path

import numpy as np

from sharpest.config.sources import OWN_IMAGES as SOURCE
from sharpest.data.sources.decoded import DecodedImages
from sharpest.data.sources.files import read_file
from sharpest.errors import DataError

__all__ = ["SOURCE", "load"]

OWN_FILE = "own-images.npz"
_ARRAYS = {
    "train_inputs": (np.uint8, 4),
    "train_targets": (np.int64, 1),
    "test_inputs": (np.uint8, 4),
    "test_targets": (np.int64, 1),
}
_REMEDY = (
    "write it with numpy.savez: train_inputs and test_inputs, uint8 (number, channels, height, width), and "
    "train_targets and test_targets, whole numbers from 0"
)


def load(folder: Path | None, *_: object) -> DecodedImages:
    """The arrays of the file.

    Args:
        folder: Holds own-images.npz; None = ``data``.

    Raises:
        DataError: If the file is missing or unreadable, or if an array is missing or has the wrong type or number of
            dimensions; names file and remedy.
    """
    path = (folder or Path("data")) / OWN_FILE
    try:
        content = io.BytesIO(read_file(path, _REMEDY))
        with np.load(content, allow_pickle=False) as file:  # noqa: TID251 - no pickles
            arrays = {name: file[name] for name in _ARRAYS}
    except DataError:
        raise
    except Exception as error:  # a malformed file may raise anything
        raise DataError(f"{path} cannot be read ({error}); {_REMEDY}") from error
    for name, (dtype, dimensions) in _ARRAYS.items():
        if arrays[name].ndim != dimensions or not np.can_cast(arrays[name].dtype, dtype):
            raise DataError(f"{path}: {name} is {arrays[name].dtype} {arrays[name].shape}; {_REMEDY}")
    return DecodedImages(**{name: arrays[name].astype(dtype) for name, (dtype, _) in _ARRAYS.items()}, origin=str(path))
