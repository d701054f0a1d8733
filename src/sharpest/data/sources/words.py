"""Words as numbers, the most frequent first."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from sharpest.data.sources.decoded import DecodedTokens


def ranks(words: Iterable[str]) -> dict[str, int]:
    """Different words and their ranks by frequency, from 0; equally frequent ones in alphabetical order."""
    counts = Counter(words)
    return {word: rank for rank, word in enumerate(sorted(counts, key=lambda word: (-counts[word], word)))}


def number_words(train: Sequence[str], val: Sequence[str], test: Sequence[str], origin: str) -> DecodedTokens:
    """Number words by their rank in the training text.

    Words that the training text lacks share one number more, which exists only where there are such words.

    Args:
        train, val, test: The words of each part, in order.
        origin: Where they came from, for readers.
    """
    numbers = ranks(train)
    unknown = len(numbers)

    def numbered(words: Sequence[str]) -> NDArray[np.int32]:
        return np.array([numbers.get(word, unknown) for word in words], np.int32)

    num_types = unknown + (not numbers.keys() >= {*val, *test})
    return DecodedTokens(numbered(train), numbered(val), numbered(test), num_types, origin=origin)
