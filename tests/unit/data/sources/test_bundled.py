"""Sources without files: scikit-learn's digits, Python's language reference, and generated reviews."""

import pydoc_data.topics
import sys

import numpy as np
import pytest
from sklearn import datasets

from sharpest.config.sources import GENERATED_REVIEWS, PYTHON_TOPICS, TokenSource
from sharpest.data.sources import tokens
from sharpest.data.sources.images import read_digits
from sharpest.data.sources.reviews import read_generated_reviews
from sharpest.data.sources.tokens import read_python_topics
from sharpest.errors import DataError


def test_arrays_are_the_same_everywhere():
    """As made with scikit-learn 1.9.1 and numpy 2.4.6: the split and the scale never change."""
    assert read_digits().sha256 == "4fb977e739eede1d9bd1626f086e34a40d84a7a57c89228fc079268ec6b308f2"
    assert read_digits().origin.startswith("scikit-learn")
    assert read_generated_reviews().sha256 == "0eefb80f4745d6383f7655beb6db3cda36f41c7858a4c7cdc4a5c99a9a758d5f"


def test_train_and_test_digits_are_all_images_once():
    data, original = read_digits(), datasets.load_digits()
    assert (len(data.train_inputs), len(data.test_inputs)) == (1_497, 300)
    ours = np.concatenate([data.train_inputs, data.test_inputs])[:, 0]
    targets = np.concatenate([data.train_targets, data.test_targets])
    pairs = sorted((image.tobytes(), int(target)) for image, target in zip(ours, targets, strict=True))
    scaled = np.rint(original.images * 255 / 16).astype(np.uint8)
    assert pairs == sorted((i.tobytes(), int(t)) for i, t in zip(scaled, original.target, strict=True))


def test_the_text_of_this_python():
    data = read_python_topics()
    data.check(PYTHON_TOPICS)
    assert {part.dtype for part in data.arrays.values()} == {np.dtype(np.int32)}
    assert 2_000 < data.num_types < 5_000
    # words unseen in training share the last number
    assert data.train.max() == data.num_types - 2
    assert {data.val.max(), data.test.max()} == {data.num_types - 1}
    # "the" is one word in thirteen in Python 3.11, and no other word comes close
    assert 0.05 < np.mean(data.train == 0) < 0.1
    assert data.origin == f"Python {sys.version.split()[0]}, pydoc_data.topics"


def test_words_are_lower_case_letters_numbered_by_frequency(monkeypatch):
    """Sections are in alphabetical order, and so are equally frequent words."""
    text = {"b": "fgh1IJ, the rest", "a": 'The "if" statement_: éx'}
    monkeypatch.setattr(pydoc_data.topics, "topics", text)
    monkeypatch.setattr(tokens, "PYTHON_TOPICS", TokenSource(4, 2, 1, None, "topics"))
    data = read_python_topics()
    # the, if, statement, x; then fgh, ij; then the
    assert (data.train.tolist(), data.val.tolist(), data.test.tolist()) == ([2, 0, 1, 3], [4, 4], [2])
    assert data.num_types == 5


def test_a_python_without_the_whole_text(monkeypatch):
    monkeypatch.setattr(pydoc_data.topics, "topics", {"a": "six words and not one more"})
    complaint = "^Python's language reference from Python .*: the train text has 6 tokens, expected 50,000"
    with pytest.raises(DataError, match=complaint):
        read_python_topics().check(PYTHON_TOPICS)
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(DataError, match=r"^Python .*, pydoc_data\.topics: .*; install Python with its whole standard"):
        read_python_topics()


def test_generated_reviews_are_as_described():
    """Four tokens in five have frequency one over their rank; the others are sentiment words, of ranks from 50 on."""
    data = read_generated_reviews()
    data.check(GENERATED_REVIEWS)
    assert data.train_offsets.tolist() == list(range(0, 80_001, 50))
    words = np.concatenate([data.train_tokens, data.test_tokens]).reshape(-1, 50)
    targets = np.concatenate([data.train_targets, data.test_targets])
    # uses by rank from 1; element 0 is not a word
    used = np.stack([np.bincount(words[targets == target].ravel(), minlength=404)[3:] for target in (0, 1)])
    expected = 0.8 * words.size / np.arange(1, 401) / np.sum(1 / np.arange(1, 401))
    # four standard deviations of Poisson counts
    assert np.all(np.abs(used.sum(axis=0)[1:] - expected)[:49] < 4 * np.sqrt(expected[:49]))
    sentiment = used.sum(axis=0) > 330  # neutral words of these ranks are used at most about 250 times
    sentiment[:50] = False
    share = used[:, sentiment] / used[:, sentiment].sum(axis=0)
    assert np.bincount(share.argmax(axis=0)).tolist() == [24, 24]
    # three quarters of them, minus flipped labels and neutral words among them
    assert 0.68 < share.max(axis=0).mean() < 0.75
