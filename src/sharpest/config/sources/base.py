"""Properties of a data source that are known before loading."""

from dataclasses import dataclass
from typing import ClassVar


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
