"""The handwritten digits that come with scikit-learn."""

import numpy as np
import sklearn.datasets

from sharpest.config.sources import DIGITS as SOURCE
from sharpest.data.sources.decoded import DecodedImages

_LARGEST = 16  # the grey values of the 8x8 images are 0 to 16


def load(*_: object) -> DecodedImages:
    """1,797 images of 8x8 pixels, scaled to 0..255: 1,497 for training and validation, 300 for the test.

    The set comes without a split and is ordered by writer, so it is first shuffled by a fixed permutation. NumPy has
    frozen ``RandomState``, so the permutation is the same in every version.
    """
    digits = sklearn.datasets.load_digits()
    order = np.random.RandomState(0).permutation(len(digits.target))
    inputs = np.rint(digits.images[order, np.newaxis] * (255 / _LARGEST)).astype(np.uint8)
    targets = digits.target[order].astype(np.int64)
    return DecodedImages(
        inputs[: SOURCE.num_train],
        targets[: SOURCE.num_train],
        inputs[SOURCE.num_train :],
        targets[SOURCE.num_train :],
        origin=f"scikit-learn {sklearn.__version__}, bundled digits",
    )
