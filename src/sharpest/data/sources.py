"""The data sources, as facts that a configuration can be checked against without loading anything."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class ImageSource:
    """Images: counts, image shape (channels, height, width), classes, and a name for readers."""

    kind: ClassVar[str] = "images"

    num_train: int
    num_test: int
    shape: tuple[int, int, int]
    num_classes: int
    title: str


@dataclass(frozen=True)
class TokenSource:
    """Text: counts of tokens, of their types (None where the text itself is not fixed), and a name for readers."""

    kind: ClassVar[str] = "tokens"

    num_train: int
    num_val: int
    num_test: int
    num_types: int | None
    title: str


@dataclass(frozen=True)
class ReviewSource:
    """Reviews: counts, classes, and a name for readers."""

    kind: ClassVar[str] = "reviews"

    num_train: int
    num_test: int
    num_classes: int
    title: str


IMAGE_SOURCES = {
    "digits": ImageSource(1_497, 300, (1, 8, 8), 10, "scikit-learn digits"),
    "fashion-mnist": ImageSource(60_000, 10_000, (1, 28, 28), 10, "Fashion-MNIST"),
    "cifar-10": ImageSource(50_000, 10_000, (3, 32, 32), 10, "CIFAR-10"),
    "cifar-100": ImageSource(50_000, 10_000, (3, 32, 32), 100, "CIFAR-100"),
}
TOKEN_SOURCES = {
    "ptb": TokenSource(929_589, 73_760, 82_430, 10_000, "Penn Treebank"),
    "python-topics": TokenSource(50_000, 6_000, 6_000, None, "Python's language reference"),
}
REVIEW_SOURCES = {
    "imdb": ReviewSource(25_000, 25_000, 2, "IMDB"),
    "generated-reviews": ReviewSource(1_600, 400, 2, "generated reviews"),
}
SOURCES: dict[str, ImageSource | TokenSource | ReviewSource] = {**IMAGE_SOURCES, **TOKEN_SOURCES, **REVIEW_SOURCES}
