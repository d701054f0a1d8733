"""Reviews drawn at random from words of skewed frequency, some of which are typical of one of two classes."""

import numpy as np
from numpy.typing import NDArray

from sharpest.config.sources import GENERATED_REVIEWS as SOURCE
from sharpest.data.sources.decoded import DecodedReviews

_SEED = 0
_LENGTH = 50  # tokens a review
_NUM_WORDS = 400
_FIRST_WORD = 4  # 0 to 3 are padding, start, unknown and unused, as in Keras
_NUM_SENTIMENT_WORDS = 24  # of each class
_FIRST_SENTIMENT_RANK = 50  # the most frequent words, of rank 1 to 49, are neutral
_SENTIMENT = 0.2  # probability that a token is a sentiment word
_OWN_CLASS = 0.75  # probability that a sentiment word belongs to the review's own class
_FLIPPED = 0.03  # probability that a review is labelled with the other class


def load(*_: object) -> DecodedReviews:
    """2,000 reviews of 50 tokens without start token: 1,600 for training and validation, 400 for the test.

    Words have frequency 1/rank and are numbered 4 to 403 by rank, which makes 404 token ids as Keras counts them. NumPy
    has frozen ``RandomState``, so the reviews are the same in every version.
    """
    num_reviews = SOURCE.num_train + SOURCE.num_test
    shape = (num_reviews, _LENGTH)
    rng = np.random.RandomState(_SEED)

    cumulative = np.cumsum(1 / np.arange(1, _NUM_WORDS + 1))
    plain_words = _FIRST_WORD + np.searchsorted(cumulative, cumulative[-1] * rng.random_sample(shape), side="right")

    ranks = _FIRST_SENTIMENT_RANK + rng.permutation(_NUM_WORDS + 1 - _FIRST_SENTIMENT_RANK)
    vocabulary = _FIRST_WORD + ranks[: 2 * _NUM_SENTIMENT_WORDS].reshape(2, _NUM_SENTIMENT_WORDS) - 1
    classes = rng.random_sample(num_reviews) < 0.5
    spoken = classes[:, np.newaxis] ^ (rng.random_sample(shape) >= _OWN_CLASS)
    chosen = (rng.random_sample(shape) * _NUM_SENTIMENT_WORDS).astype(np.int64)
    sentiment_words = vocabulary[spoken.astype(np.int64), chosen]

    tokens = np.where(rng.random_sample(shape) < _SENTIMENT, sentiment_words, plain_words).astype(np.int32)
    targets = (classes ^ (rng.random_sample(num_reviews) < _FLIPPED)).astype(np.int64)
    train, test = slice(None, SOURCE.num_train), slice(SOURCE.num_train, None)
    return DecodedReviews(
        tokens[train].ravel(),
        _offsets(SOURCE.num_train),
        targets[train],
        tokens[test].ravel(),
        _offsets(SOURCE.num_test),
        targets[test],
        origin=f"generated, seed {_SEED}",
    )


def _offsets(num_reviews: int) -> NDArray[np.int64]:
    return np.arange(num_reviews + 1, dtype=np.int64) * _LENGTH
