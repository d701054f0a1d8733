"""Python's language reference, of the running version."""

import pydoc_data.topics
import sys

import numpy as np
import pytest

from sharpest.config.sources import PYTHON_TOPICS as SOURCE
from sharpest.config.sources import TokenSource
from sharpest.data.sources import tokens
from sharpest.data.sources.tokens import read_python_topics as load
from sharpest.errors import DataError


def test_the_text_of_this_python():
    data = load()
    data.check(SOURCE)
    assert {part.dtype for part in data.arrays.values()} == {np.dtype(np.int32)}
    assert 2_000 < data.num_types < 5_000
    # words unseen in training share the last number
    assert data.train.max() == data.num_types - 2
    assert {data.val.max(), data.test.max()} == {data.num_types - 1}
    # "the" is one word in thirteen in Python 3.11, and no other word comes close
    assert 0.05 < np.mean(data.train == 0) < 0.1
    assert data.origin == f"Python {sys.version.split()[0]}, pydoc_data.topics"


def test_words_are_lower_case_and_letters_only_and_the_parts_follow_each_other(monkeypatch):
    """Sections are in alphabetical order."""
    text = {"b": "fgh1IJ, the rest", "a": 'The "if" statement_: éx'}
    monkeypatch.setattr(pydoc_data.topics, "topics", text)
    monkeypatch.setattr(tokens, "PYTHON_TOPICS", TokenSource(4, 2, 1, None, "topics"))
    data = load()
    # the, if, statement, x; then fgh, ij; then the
    assert (data.train.tolist(), data.val.tolist(), data.test.tolist()) == ([2, 0, 1, 3], [4, 4], [2])
    assert data.num_types == 5


def test_a_text_too_short(monkeypatch):
    monkeypatch.setattr(pydoc_data.topics, "topics", {"a": "six words and not one more"})
    complaint = "^Python's language reference from Python .*: the train text has 6 tokens, expected 50,000"
    with pytest.raises(DataError, match=complaint):
        load().check(SOURCE)


def test_a_python_without_the_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(DataError, match=r"^Python .*, pydoc_data\.topics: .*; install Python with its whole standard"):
        load()
