"""Words numbered by their frequency."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sharpest.data.sources.decoded import number_words

texts = st.lists(st.sampled_from("abcdef"), max_size=30)


def test_the_most_frequent_word_is_number_zero_and_ties_are_alphabetical():
    data = number_words(["b", "c", "a", "c", "d", "b", "c"], ["d", "a"], ["c"], "here")
    # c three times, b twice, then a and d
    assert data.train.tolist() == [1, 0, 2, 0, 3, 1, 0]
    assert (data.val.tolist(), data.test.tolist()) == ([3, 2], [0])
    assert (data.num_types, data.origin) == (4, "here")


def test_words_unseen_in_training_share_one_more_number():
    data = number_words(["a", "b", "a"], ["a", "x"], ["y", "b", "x"], "here")
    assert (data.val.tolist(), data.test.tolist()) == ([0, 2], [2, 1, 2])
    assert data.num_types == 3


@given(texts, texts, texts)
def test_numbers_are_below_their_count_and_frequencies_fall(train, val, test):
    data = number_words(train, val, test, "here")
    counts = Counter(data.train.tolist())
    assert sorted(counts) == list(range(len(set(train))))
    assert sorted(counts.values(), reverse=True) == [counts[number] for number in range(len(counts))]
    used = {*data.train.tolist(), *data.val.tolist(), *data.test.tolist()}
    assert used == set(range(data.num_types))
