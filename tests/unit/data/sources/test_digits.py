"""scikit-learn's digits: the split and the scale never change."""

import numpy as np
from sklearn import datasets

from sharpest.data.sources.images import read_digits as load

# hash of the arrays made with scikit-learn 1.9.1 and numpy 2.4.6
SHA256 = "4fb977e739eede1d9bd1626f086e34a40d84a7a57c89228fc079268ec6b308f2"


def test_arrays_are_the_same_everywhere():
    assert load().sha256 == SHA256
    assert load().origin.startswith("scikit-learn")


def test_grey_values_are_scaled_to_bytes():
    data = load()
    # 255 / 16 times 0, 1, ..., 16, rounded
    expected = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    assert np.unique(data.train_inputs).tolist() == expected


def test_train_and_test_are_all_images_once():
    data, original = load(), datasets.load_digits()
    assert (len(data.train_inputs), len(data.test_inputs)) == (1_497, 300)
    ours = np.concatenate([data.train_inputs, data.test_inputs])[:, 0]
    targets = np.concatenate([data.train_targets, data.test_targets])
    pairs = sorted((image.tobytes(), int(target)) for image, target in zip(ours, targets, strict=True))
    scaled = np.rint(original.images * 255 / 16).astype(np.uint8)
    assert pairs == sorted((i.tobytes(), int(t)) for i, t in zip(scaled, original.target, strict=True))
