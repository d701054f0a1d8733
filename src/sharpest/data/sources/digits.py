"""The handwritten digits that come with scikit-learn."""

import numpy as np
import sklearn.datasets

from sharpest.config.sources.digits import SOURCE
from sharpest.data.sources.decoded import DecodedImages

_LARGEST = 16  # the grey values of the 8x8 images are 0 to 16


def load(*_: object) -> DecodedImages:
    """1,797 images of 8x8, scaled to 0..255; a fixed permutation gives 1,497 to the train pool and 300 to the test.

    The set has no split of its own, and its order follows the writers, so it is shuffled first. ``RandomState`` is
    frozen by numpy: the permutation is the same in every version.
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
