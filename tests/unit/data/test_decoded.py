"""Decoded data: what the hash covers, and what a source's facts refuse."""

from dataclasses import replace

import numpy as np
import pytest

from sharpest.data.decoded import DecodedData
from sharpest.data.digits import load_digits
from sharpest.errors import DataError


@pytest.fixture(scope="module")
def digits() -> DecodedData:
    return load_digits()


def _flip_one(array):
    changed = array.copy()
    changed.flat[-1] ^= 1
    return changed


@pytest.mark.parametrize("name", ["train_inputs", "train_targets", "test_inputs", "test_targets"])
def test_hash_covers_every_array(digits, name):
    assert replace(digits, **{name: _flip_one(getattr(digits, name))}).sha256 != digits.sha256


def test_hash_covers_type_and_shape(digits):
    reshaped = replace(digits, train_inputs=digits.train_inputs.reshape(-1, 1, 4, 16))
    same_bytes = replace(digits, train_targets=digits.train_targets.view(np.uint64))
    assert len({digits.sha256, reshaped.sha256, same_bytes.sha256}) == 3


def test_hash_ignores_memory_layout_and_origin(digits):
    in_columns = replace(digits, train_inputs=np.asfortranarray(digits.train_inputs), origin="elsewhere")
    assert in_columns.sha256 == digits.sha256


def test_check_accepts_the_source(digits):
    digits.check("digits")


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        (
            "train_inputs",
            lambda a: a[:-1],
            r"train inputs are uint8 \(1496, 1, 8, 8\), expected uint8 \(1497, 1, 8, 8\)",
        ),
        ("test_inputs", lambda a: a.swapaxes(1, 2), r"test inputs are uint8 \(300, 8, 1, 8\)"),
        ("test_inputs", lambda a: a.astype(np.float32), "test inputs are float32"),
        ("train_targets", lambda a: a[1:], r"train targets are int64 \(1496,\)"),
        ("test_targets", lambda a: a.astype(np.int32), "test targets are int32"),
        ("train_targets", lambda a: np.minimum(a, 8), "train targets hold 9 classes from 0 to 8, expected 10 from 0"),
        ("test_targets", lambda a: a + 1, "test targets hold 10 classes from 1 to 10"),
    ],
)
def test_check_refuses_what_differs(digits, name, change, complaint):
    changed = replace(digits, **{name: change(getattr(digits, name))}, origin="some/folder")
    with pytest.raises(DataError, match=f"^digits from some/folder: {complaint}.*; replace the files"):
        changed.check("digits")
