"""The IMDB reviews as Keras prepared them: words are numbered by frequency."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sharpest.config.sources import IMDB as SOURCE
from sharpest.data.sources.decoded import DecodedReviews
from sharpest.data.sources.files import read_or_fetch
from sharpest.errors import DataError

__all__ = ["SOURCE", "load"]

IMDB_FILE = "imdb.npz"
IMDB_URL = f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{IMDB_FILE}"
IMDB_SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"

_START = 1  # precedes each review
_SHIFT = 3  # the most frequent word is number 1 in the file; 0 to 3 are padding, start, unknown and unused
_REMEDY = (
    f"get {IMDB_FILE} again, e.g. from {IMDB_URL}, and set sources.imdb.folder in config/config.yaml to its folder"
)


def load(folder: Path | None, url: str | None, cache: Path, sha256: str = IMDB_SHA256) -> DecodedReviews:
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
    content, origin = read_or_fetch(IMDB_FILE, folder, url or IMDB_URL, cache, sha256, _REMEDY)
    try:
        # the reviews are pickled lists, safe to load because the checksum of these bytes was verified
        with np.load(io.BytesIO(content), allow_pickle=True) as file:  # noqa: TID251 - verified by its checksum
            return DecodedReviews(
                *_join(file["x_train"]),
                np.asarray(file["y_train"], dtype=np.int64),
                *_join(file["x_test"]),
                np.asarray(file["y_test"], dtype=np.int64),
                origin=origin,
            )
    except Exception as error:  # a malformed pickle may raise anything
        raise DataError(f"{origin} does not hold the IMDB reviews ({error}); {_REMEDY}") from error


def _join(reviews: Iterable[list[int]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Tokens of all reviews, and the offsets: where each review starts and the last ends."""
    numbered = [np.array([_START, *(word + _SHIFT for word in review)], np.int32) for review in reviews]
    return np.concatenate(numbered), np.cumsum([0, *map(len, numbered)], dtype=np.int64)
