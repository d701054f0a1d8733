"""Number words by frequency, the most frequent first."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from sharpest.data.sources.decoded import DecodedTokens


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
