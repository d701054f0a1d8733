"""A data source decoded into arrays, in canonical order."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.data.sources import SOURCES
from sharpest.errors import DataError


@dataclass(frozen=True, eq=False)
class DecodedData:
    """Images and classes as the source gives them: neither centred nor subsampled.

    Attributes:
        train_inputs: (n, c, h, w) uint8, 0 to 255.
        train_targets: (n,) int64, classes from zero.
        test_inputs: (x, c, h, w) uint8, 0 to 255.
        test_targets: (x,) int64, classes from zero.
        origin: Where the bytes came from, for readers.
    """

    train_inputs: NDArray[np.uint8]
    train_targets: NDArray[np.int64]
    test_inputs: NDArray[np.uint8]
    test_targets: NDArray[np.int64]
    origin: str

    @property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "train inputs": self.train_inputs,
            "train targets": self.train_targets,
            "test inputs": self.test_inputs,
            "test targets": self.test_targets,
        }

    @property
    def sha256(self) -> str:
        """SHA-256 of the four arrays, each behind its type and shape."""
        digest = hashlib.sha256()
        for array in self._arrays.values():
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def check(self, source_name: str) -> None:
        """Check the arrays against the facts of their source.

        Raises:
            DataError: If a shape, a type, or the classes differ; the message names origin and remedy.
        """
        source = SOURCES[source_name]
        expected: dict[str, tuple[type, tuple[int, ...]]] = {
            "train inputs": (np.uint8, (source.num_train, *source.shape)),
            "train targets": (np.int64, (source.num_train,)),
            "test inputs": (np.uint8, (source.num_test, *source.shape)),
            "test targets": (np.int64, (source.num_test,)),
        }
        where = f"{source_name} from {self.origin}"
        remedy = f"replace the files there with the original ones of {source.title}"
        for name, array in self._arrays.items():
            dtype, shape = expected[name]
            if array.shape != shape or array.dtype != dtype:
                raise DataError(
                    f"{where}: {name} are {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}; {remedy}"
                )
        for name in ("train targets", "test targets"):
            if (classes := np.unique(self._arrays[name]).tolist()) != list(range(source.num_classes)):
                raise DataError(
                    f"{where}: {name} hold {len(classes)} classes from {classes[0]} to {classes[-1]}, "
                    f"expected {source.num_classes} from 0; {remedy}"
                )
