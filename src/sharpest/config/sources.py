"""Data sources: what is known of each before it is read, where its files are, and its substitute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from sharpest.config.strict import Strict


@dataclass(frozen=True)
class ImageSource:
    """Images: counts, image shape (channels, height, width), classes, and a title for readers; None = not known."""

    kind: ClassVar[str] = "images"

    num_train: int | None
    num_test: int | None
    shape: tuple[int, int, int] | None
    num_classes: int | None
    title: str


@dataclass(frozen=True)
class TokenSource:
    """Text: counts of tokens and of their types (None if the text itself is not fixed), and a title for readers."""

    kind: ClassVar[str] = "tokens"

    num_train: int
    num_val: int
    num_test: int
    num_types: int | None
    title: str


@dataclass(frozen=True)
class ReviewSource:
    """Reviews: counts, classes, and a title for readers."""

    kind: ClassVar[str] = "reviews"

    num_train: int
    num_test: int
    num_classes: int
    title: str


@dataclass(frozen=True)
class ImportedSource:
    """Batches of the user's code: only a title for readers is known before the code runs."""

    kind: ClassVar[str] = "imported"

    num_train: None
    num_test: None
    title: str


Source = ImageSource | TokenSource | ReviewSource | ImportedSource


DIGITS = ImageSource(num_train=1_497, num_test=300, shape=(1, 8, 8), num_classes=10, title="scikit-learn digits")
FASHION_MNIST = ImageSource(num_train=60_000, num_test=10_000, shape=(1, 28, 28), num_classes=10, title="Fashion-MNIST")
CIFAR_10 = ImageSource(num_train=50_000, num_test=10_000, shape=(3, 32, 32), num_classes=10, title="CIFAR-10")
CIFAR_100 = ImageSource(num_train=50_000, num_test=10_000, shape=(3, 32, 32), num_classes=100, title="CIFAR-100")
PTB = TokenSource(num_train=929_589, num_val=73_760, num_test=82_430, num_types=10_000, title="Penn Treebank")
PYTHON_TOPICS = TokenSource(
    num_train=50_000, num_val=6_000, num_test=6_000, num_types=None, title="Python's language reference"
)
IMDB = ReviewSource(num_train=25_000, num_test=25_000, num_classes=2, title="IMDB")
GENERATED_REVIEWS = ReviewSource(num_train=1_600, num_test=400, num_classes=2, title="generated reviews")
BIBLE_KJV = TokenSource(num_train=741_779, num_val=39_065, num_test=39_942, num_types=12_272, title="King James Bible")
RATED_SENTENCES = ReviewSource(num_train=9_568, num_test=1_000, num_classes=2, title="rated sentences of movie reviews")
# of own images nothing is known before they are read
OWN_IMAGES = ImageSource(num_train=None, num_test=None, shape=None, num_classes=None, title="images of your own")
IMPORTED = ImportedSource(num_train=None, num_test=None, title="batches of your own")

SOURCES: dict[str, Source] = {
    "digits": DIGITS,
    "fashion-mnist": FASHION_MNIST,
    "cifar-10": CIFAR_10,
    "cifar-100": CIFAR_100,
    "ptb": PTB,
    "python-topics": PYTHON_TOPICS,
    "imdb": IMDB,
    "generated-reviews": GENERATED_REVIEWS,
    "bible-kjv": BIBLE_KJV,
    "rated-sentences": RATED_SENTENCES,
    "own-images": OWN_IMAGES,
    "imported": IMPORTED,
}


class SourceSettings(Strict):
    """The location of the files of one data source."""

    folder: str | None = None
    """Folder that holds the files; none = the usual folders, then url."""
    url: str | None = None
    """Address of the download; none = the canonical address."""


class SubstituteSettings(Strict):
    """The substitute for one data source."""

    source: str
    """Name of the source that is read instead."""
    changes: dict[str, Any] = Field(default={})
    """Keys of the data sets that change with the substitute."""
