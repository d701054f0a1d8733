"""Decoded data: what the hash covers, and what the description of a source refuses."""

from dataclasses import replace

import numpy as np
import pytest

from sharpest.config.sources import DIGITS as SOURCE
from sharpest.config.sources import ReviewSource, TokenSource
from sharpest.data.sources.decoded import DecodedImages, DecodedReviews, DecodedTokens
from sharpest.data.sources.images import read_digits as load
from sharpest.errors import DataError

TEXT = TokenSource(5, 2, 3, 3, "Penn Treebank")
REVIEWS = ReviewSource(3, 2, 2, "IMDB")


@pytest.fixture(scope="module")
def digits() -> DecodedImages:
    return load()


@pytest.fixture
def text() -> DecodedTokens:
    """A tiny text that matches TEXT."""
    train, val, test = (np.array(part, np.int32) for part in ([0, 1, 0, 2, 1], [0, 2], [1, 1, 0]))
    return DecodedTokens(train, val, test, 3, origin="some/folder")


@pytest.fixture
def reviews() -> DecodedReviews:
    """Three training reviews of 2, 1 and 3 tokens, and two test reviews of 1 and 2."""
    return DecodedReviews(
        np.array([1, 4, 1, 1, 5, 6], np.int32),
        np.array([0, 2, 3, 6]),
        np.array([0, 1, 0]),
        np.array([1, 1, 4], np.int32),
        np.array([0, 1, 3]),
        np.array([1, 0]),
        origin="some/folder",
    )


def _flip_one(array):
    changed = array.copy()
    changed.flat[-1] ^= 1
    return changed


def test_the_hash_covers_values_type_and_shape_of_every_array(digits):
    """But not memory layout and origin."""
    others = [replace(digits, **{name: _flip_one(array)}) for name, array in digits.arrays.items()]
    others.append(replace(digits, train_inputs=digits.train_inputs.reshape(-1, 1, 4, 16)))
    others.append(replace(digits, train_targets=digits.train_targets.view(np.uint64)))
    assert len({digits.sha256, *(other.sha256 for other in others)}) == 7
    in_columns = replace(digits, train_inputs=np.asfortranarray(digits.train_inputs), origin="elsewhere")
    assert in_columns.sha256 == digits.sha256


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("train_inputs", lambda a: a[:-1], r"train inputs are uint8 \(1496, 1, 8, 8\), expected uint8 \(1497, 1, 8, 8"),
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
    with pytest.raises(DataError, match=f"^scikit-learn digits from some/folder: {complaint}.*; replace the files"):
        changed.check(SOURCE)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"train": np.zeros(4, np.int32)}, "the train text has 4 tokens, expected 5"),
        ({"val": np.zeros(3, np.int32)}, "the val text has 3 tokens, expected 2"),
        ({"test": np.zeros(1_000, np.int32)}, "the test text has 1,000 tokens, expected 3"),
        ({"num_types": 4}, "the train text has 4 types of tokens, expected 3"),
    ],
)
def test_check_refuses_another_text(text, changes, complaint):
    remedy = "replace the files there with the original ones"
    with pytest.raises(DataError, match=f"^Penn Treebank from some/folder: {complaint}; {remedy}$"):
        replace(text, **changes).check(TEXT)
    text.check(replace(TEXT, num_types=None))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"train_offsets": np.array([0, 2, 6])}, "the train set has 2 reviews and 3 classes, expected 3 of each"),
        ({"test_targets": np.array([1, 0, 1])}, "the test set has 2 reviews and 3 classes, expected 2 of each"),
        ({"train_targets": np.array([1, 1, 1])}, "train targets hold 1 classes from 1 to 1, expected 2 from 0"),
        ({"test_targets": np.array([1, 2])}, "test targets hold 2 classes from 1 to 2, expected 2 from 0"),
    ],
)
def test_check_refuses_other_reviews(reviews, changes, complaint):
    remedy = "replace the files there with the original ones"
    with pytest.raises(DataError, match=f"^IMDB from some/folder: {complaint}; {remedy}$"):
        replace(reviews, **changes).check(REVIEWS)
