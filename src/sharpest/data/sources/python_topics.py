"""Python's language reference, a real English text that every installation contains."""

import platform
import re

from sharpest.config.sources import PYTHON_TOPICS as SOURCE
from sharpest.data.sources.decoded import DecodedTokens
from sharpest.data.sources.words import number_words
from sharpest.errors import DataError


def load(*_: object) -> DecodedTokens:
    """The first words, in lower case, letters only: 50,000 for training, 6,000 for validation, 6,000 for the test.

    The text differs between versions of Python; its hash tells them apart.

    Raises:
        DataError: If this Python installation lacks the text.
    """
    origin = f"Python {platform.python_version()}, pydoc_data.topics"
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DataError(f"{origin}: {error}; install Python with its whole standard library") from error
    words = re.findall("[a-z]+", " ".join(topics[name] for name in sorted(topics)).lower())
    val = SOURCE.num_train
    test = val + SOURCE.num_val
    return number_words(words[:val], words[val:test], words[test : test + SOURCE.num_test], origin)
