"""A data source decoded into arrays, in canonical order; words are numbered by frequency."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sharpest.config.sources import ImageSource, ReviewSource, Source, TokenSource
from sharpest.errors import DataError
from sharpest.results.datasets import data_layout
from sharpest.results.layout import Layout

AnySource = TypeVar("AnySource", bound=Source)


@dataclass(frozen=True, eq=False)
class Decoded(ABC, Generic[AnySource]):
    """Arrays as the source gives them: neither centred, cut nor subsampled.

    Attributes:
        origin: Where the data came from, as text for readers.
    """

    layout: ClassVar[Layout]
    """The layout of the file that holds the arrays; each of its datasets is an attribute of this class."""

    origin: str = field(kw_only=True)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, in the order of the layout."""
        return {dataset.name: getattr(self, dataset.name) for dataset in self.layout.datasets}

    @property
    def sha256(self) -> str:
        """SHA-256 of the arrays, each preceded by its type and shape."""
        digest = hashlib.sha256()
        for array in self.arrays.values():
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the file besides source, hash and origin."""
        return {"num_classes": int(self.arrays["train_targets"].max()) + 1}

    @property
    @abstractmethod
    def summary(self) -> str:
        """The number of examples or tokens, in a few words."""

    @abstractmethod
    def check(self, source: AnySource) -> None:
        """Check the arrays against the description of their source.

        Raises:
            DataError: If a count, a shape, a type or the classes differ; the message names origin and remedy.
        """

    def _refusal(self, source: AnySource, problem: str) -> DataError:
        return DataError(
            f"{source.title} from {self.origin}: {problem}; replace the files there with the original ones"
        )

    def _check_classes(self, source: AnySource, num_classes: int) -> None:
        for name in ("train_targets", "test_targets"):
            if (classes := np.unique(self.arrays[name]).tolist()) != list(range(num_classes)):
                raise self._refusal(
                    source,
                    f"{name.replace('_', ' ')} hold {len(classes)} classes from {classes[0]} to {classes[-1]}, "
                    f"expected {num_classes} from 0",
                )


@dataclass(frozen=True, eq=False)
class DecodedImages(Decoded[ImageSource]):
    """Images and classes.

    Attributes:
        train_inputs: (n, c, h, w) uint8, 0 to 255.
        train_targets: (n,) int64, classes from zero.
        test_inputs: (x, c, h, w) uint8, 0 to 255.
        test_targets: (x,) int64, classes from zero.
    """

    layout = data_layout("images")

    train_inputs: NDArray[np.uint8]
    train_targets: NDArray[np.int64]
    test_inputs: NDArray[np.uint8]
    test_targets: NDArray[np.int64]

    @property
    def summary(self) -> str:
        return f"{len(self.train_targets):,} + {len(self.test_targets):,} examples"

    def check(self, source: ImageSource) -> None:
        # a value that the source leaves open is taken from one array and checked against the others
        num_train = len(self.train_targets) if source.num_train is None else source.num_train
        num_test = len(self.test_targets) if source.num_test is None else source.num_test
        shape = source.shape or self.train_inputs.shape[1:]
        expected: dict[str, tuple[type, tuple[int, ...]]] = {
            "train_inputs": (np.uint8, (num_train, *shape)),
            "train_targets": (np.int64, (num_train,)),
            "test_inputs": (np.uint8, (num_test, *shape)),
            "test_targets": (np.int64, (num_test,)),
        }
        for name, array in self.arrays.items():
            dtype, shape = expected[name]
            if array.shape != shape or array.dtype != dtype:
                raise self._refusal(
                    source,
                    f"{name.replace('_', ' ')} are {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}",
                )
        self._check_classes(source, source.num_classes or self.attributes["num_classes"])


@dataclass(frozen=True, eq=False)
class DecodedTokens(Decoded[TokenSource]):
    """A text in three parts. Tokens are integers below ``num_types``; 0 is the most frequent one in the training part.

    Attributes:
        train: (n,) int32.
        val: (v,) int32.
        test: (x,) int32.
        num_types: Number of distinct tokens.
    """

    layout = data_layout("tokens")

    train: NDArray[np.int32]
    val: NDArray[np.int32]
    test: NDArray[np.int32]
    num_types: int

    @property
    def attributes(self) -> dict[str, Any]:
        return {"num_classes": self.num_types}

    @property
    def summary(self) -> str:
        return f"{len(self.train):,} + {len(self.val):,} + {len(self.test):,} tokens of {self.num_types:,} types"

    def check(self, source: TokenSource) -> None:
        expected = {"train": source.num_train, "val": source.num_val, "test": source.num_test}
        for name, array in self.arrays.items():
            if len(array) != expected[name]:
                raise self._refusal(source, f"the {name} text has {len(array):,} tokens, expected {expected[name]:,}")
        if source.num_types is not None and self.num_types != source.num_types:
            raise self._refusal(
                source, f"the train text has {self.num_types:,} types of tokens, expected {source.num_types:,}"
            )


@dataclass(frozen=True, eq=False)
class DecodedReviews(Decoded[ReviewSource]):
    """Reviews of different lengths, concatenated, and their classes.

    Review r of the training set is ``train_tokens[train_offsets[r]:train_offsets[r + 1]]``; the test set likewise.
    Tokens are numbered as in Keras: 0 padding, 1 start, 2 unknown, 3 unused, words from 4 on, the most frequent first.

    Attributes:
        train_tokens: (i,) int32.
        train_offsets: (n+1,) int64, from 0 to i.
        train_targets: (n,) int64, classes from zero.
        test_tokens: (j,) int32.
        test_offsets: (x+1,) int64, from 0 to j.
        test_targets: (x,) int64, classes from zero.
    """

    layout = data_layout("reviews")

    train_tokens: NDArray[np.int32]
    train_offsets: NDArray[np.int64]
    train_targets: NDArray[np.int64]
    test_tokens: NDArray[np.int32]
    test_offsets: NDArray[np.int64]
    test_targets: NDArray[np.int64]

    @property
    def summary(self) -> str:
        return f"{len(self.train_targets):,} + {len(self.test_targets):,} reviews"

    def check(self, source: ReviewSource) -> None:
        for name, offsets, targets, expected in (
            ("train", self.train_offsets, self.train_targets, source.num_train),
            ("test", self.test_offsets, self.test_targets, source.num_test),
        ):
            if (len(offsets) - 1, len(targets)) != (expected, expected):
                raise self._refusal(
                    source,
                    f"the {name} set has {len(offsets) - 1:,} reviews and {len(targets):,} classes, "
                    f"expected {expected:,} of each",
                )
        self._check_classes(source, source.num_classes)


def ranks(words: Iterable[str]) -> dict[str, int]:
    """Word -> its rank by frequency, from 0; equally frequent words rank in alphabetical order."""
    counts = Counter(words)
    return {word: rank for rank, word in enumerate(sorted(counts, key=lambda word: (-counts[word], word)))}


def number_words(train: Sequence[str], val: Sequence[str], test: Sequence[str], origin: str) -> DecodedTokens:
    """Number words by their rank in the training text.

    All words that do not occur in the training text share one extra number, which is counted only if there are any.

    Args:
        train, val, test: The words of each part, in order.
        origin: Where the words came from, as text for readers.
    """
    numbers = ranks(train)
    unknown = len(numbers)

    def numbered(words: Sequence[str]) -> NDArray[np.int32]:
        return np.array([numbers.get(word, unknown) for word in words], np.int32)

    num_types = unknown + (not numbers.keys() >= {*val, *test})
    return DecodedTokens(numbered(train), numbered(val), numbered(test), num_types, origin=origin)
