"""Generated reviews: identical on every machine, and as described."""

import numpy as np
import pytest

from sharpest.config.sources import GENERATED_REVIEWS as SOURCE
from sharpest.data.sources.decoded import DecodedReviews
from sharpest.data.sources.reviews import read_generated_reviews as load

# hash of the arrays made with numpy 2.4.6
SHA256 = "0eefb80f4745d6383f7655beb6db3cda36f41c7858a4c7cdc4a5c99a9a758d5f"
FIRST_WORD, NUM_WORDS = 4, 400


@pytest.fixture(scope="module")
def data() -> DecodedReviews:
    return load()


@pytest.fixture(scope="module")
def tokens(data) -> np.ndarray:
    """All reviews, (2000, 50)."""
    return np.concatenate([data.train_tokens, data.test_tokens]).reshape(-1, 50)


@pytest.fixture(scope="module")
def targets(data) -> np.ndarray:
    return np.concatenate([data.train_targets, data.test_targets])


def test_reviews_are_the_same_everywhere(data):
    assert data.sha256 == SHA256 == load().sha256


def test_counts_and_lengths(data):
    data.check(SOURCE)
    for offsets, tokens, count in (
        (data.train_offsets, data.train_tokens, 1_600),
        (data.test_offsets, data.test_tokens, 400),
    ):
        assert offsets.tolist() == list(range(0, 50 * count + 1, 50))
        assert len(tokens) == 50 * count
        assert tokens.dtype == np.int32
        assert FIRST_WORD <= tokens.min() < tokens.max() < FIRST_WORD + NUM_WORDS


def _used(tokens: np.ndarray) -> np.ndarray:
    """Number of uses of each word, by rank from 1; element 0 is not a word."""
    return np.bincount(tokens.ravel(), minlength=FIRST_WORD + NUM_WORDS)[FIRST_WORD - 1 :]


def test_words_are_as_frequent_as_one_over_their_rank(tokens):
    """True for four tokens in five; the others are sentiment words, which have ranks from 50 on."""
    expected = 0.8 * tokens.size / np.arange(1, NUM_WORDS + 1) / np.sum(1 / np.arange(1, NUM_WORDS + 1))
    # four standard deviations of Poisson counts
    assert np.all(np.abs(_used(tokens)[1:] - expected)[:49] < 4 * np.sqrt(expected[:49]))


def test_sentiment_words_separate_the_classes(tokens, targets):
    used = np.stack([_used(tokens[targets == target]) for target in (0, 1)])
    sentiment = used.sum(axis=0) > 330  # neutral words of these ranks are used at most about 250 times
    sentiment[:50] = False
    assert sentiment.sum() == 48
    share = used[:, sentiment] / used[:, sentiment].sum(axis=0)
    own = share.max(axis=0)
    assert np.bincount(share.argmax(axis=0)).tolist() == [24, 24]
    # three quarters of them, minus flipped labels and neutral words among them
    assert 0.68 < own.mean() < 0.75
