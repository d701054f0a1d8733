"""A text as windows and as parallel streams, compared with examples made by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import lstm_settings, token_settings
from hypothesis import given
from hypothesis import strategies as st

from sharpest.config.run import TokenSettings
from sharpest.data.dataset import RunData, Split
from sharpest.data.tokens import TokenStream, load
from sharpest.errors import DataError
from sharpest.results.datasets import TOKENS
from sharpest.results.file import write_stored

CPU = torch.device("cpu")


def write(path: Path, train: list[int], val: list[int], test: list[int]) -> Path:
    arrays = {"train": np.array(train), "val": np.array(val), "test": np.array(test)}
    values = dict.fromkeys(TOKENS.attributes, "") | {"dataset": "python-topics", "sha256": "tiny", "num_classes": 30}
    write_stored(path, TOKENS, arrays, values)
    return path


def load_text(path: Path, batch_size: int = 2, seed: int = 777, **changes: object) -> RunData:
    dataset = token_settings(**{"train": 23, "val": 7, "test": 9, "window": 3, "vocabulary": 30, **changes})
    return load(path, lstm_settings(dataset=dataset, batch_size=batch_size, seed=seed), CPU)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Each word is its index in the text."""
    return write(tmp_path / "ptb.h5", list(range(30)), list(range(8)), list(range(9)))


@pytest.fixture
def loaded(path) -> RunData:
    return load_text(path)


def test_windows_predict_the_next_word(loaded):
    """Seven windows of three words from the first 23; the last word of every window is only a target."""
    assert loaded.train.inputs.tolist() == [[3 * i, 3 * i + 1, 3 * i + 2] for i in range(7)]
    assert loaded.train.targets.tolist() == [[3 * i + 1, 3 * i + 2, 3 * i + 3] for i in range(7)]
    assert loaded.val.inputs.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert loaded.val.targets.tolist() == [[1, 2, 3], [4, 5, 6]]
    # the ninth word of the test text would begin an incomplete window
    assert loaded.test.inputs.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert len(loaded.train) == token_settings(train=23, window=3).num_train
    assert (loaded.input_shape, loaded.num_classes) == ((3, 30), 30)
    assert {loaded.train.inputs.dtype, loaded.train.targets.dtype} == {torch.int64}


def test_streams_run_side_by_side_and_start_anew_in_each_epoch(loaded):
    """23 words give two streams of 11, each with three windows of three words and their successors."""
    expected = [
        ([[0, 1, 2], [11, 12, 13]], [[1, 2, 3], [12, 13, 14]]),
        ([[3, 4, 5], [14, 15, 16]], [[4, 5, 6], [15, 16, 17]]),
        ([[6, 7, 8], [17, 18, 19]], [[7, 8, 9], [18, 19, 20]]),
    ]
    assert token_settings(train=23, window=3).steps_per_epoch(2) == 3
    for iteration in range(9):
        batch = loaded.stream.batch(iteration)
        assert (batch.inputs.tolist(), batch.targets.tolist()) == expected[iteration % 3]


@given(st.integers(2, 120), st.integers(1, 6), st.integers(1, 7))
def test_a_stream_continues_where_its_last_window_ended(words, batch_size, window):
    """As many windows as the settings give, one after another, in the same row."""
    steps = token_settings(train=words, window=window).steps_per_epoch(batch_size)
    length = words // batch_size
    if (length - 1) // window < 1:
        return  # too short: see the configuration
    stream = TokenStream(torch.arange(words), Split(torch.zeros(0), torch.zeros(0)), batch_size, window, 777)
    batches = [stream.batch(iteration) for iteration in range(steps)]
    for row in range(batch_size):
        read = torch.cat([batch.inputs[row] for batch in batches])
        assert torch.equal(read, torch.arange(steps * window) + row * length)
        assert torch.equal(torch.cat([batch.targets[row] for batch in batches]), read + 1)
    assert len(read) > length - 1 - window
    assert torch.equal(stream.batch(steps).inputs, batches[0].inputs)


@pytest.mark.parametrize(("batch_size", "steps"), [(8, 5_809), (20, 2_323), (32, 1_452), (128, 363)])
def test_an_epoch_of_the_penn_treebank_has_the_steps_of_the_inventory(batch_size: int, steps: int) -> None:
    published = TokenSettings(
        kind="tokens", source="ptb", train=929_589, val=73_760, test=82_430, window=20, vocabulary=10_000
    )
    assert published.steps_per_epoch(batch_size) == steps
    # the last window of the epoch is complete, and there is no room for another
    text = torch.zeros(929_589, dtype=torch.int8)
    stream = TokenStream(text, Split(text, text), batch_size, 20, 777)
    assert stream.batch(steps - 1).targets.shape == (batch_size, 20)
    assert 929_589 // batch_size - 1 - 20 * steps < 20


def test_rare_words_share_the_last_number(path):
    data = load_text(path, vocabulary=5)
    assert data.train.inputs[:3].flatten().tolist() == [0, 1, 2, 3, 4, 4, 4, 4, 4]
    assert data.stream.batch(1).targets.tolist() == [[4, 4, 4], [4, 4, 4]]
    assert data.val.inputs.tolist() == [[0, 1, 2], [3, 4, 4]]
    assert data.num_classes == 5
    assert data.input_shape == (3, 5)


def test_samples_are_different_windows_drawn_anew(loaded, path):
    samples = [loaded.stream.sample("hessian", counter, 4) for counter in (0, 0, 1)]
    assert torch.equal(samples[0].inputs, samples[1].inputs)
    assert samples[0].inputs.tolist() != samples[2].inputs.tolist()
    for sample in samples:
        starts = sample.inputs[:, 0].tolist()
        assert len(set(starts)) == 4
        assert all(start % 3 == 0 for start in starts)
        assert torch.equal(sample.targets, sample.inputs + 1)
    # the same for any batch size, different for another seed
    assert torch.equal(load_text(path, batch_size=3).stream.sample("hessian", 0, 4).inputs, samples[0].inputs)
    assert not torch.equal(load_text(path, seed=778).stream.sample("hessian", 0, 4).inputs, samples[0].inputs)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"source": "ptb"}, "holds python-topics, expected ptb; delete it and run snakemake again"),
        ({"train": 31}, "has 30 train words, train: 31 are configured; lower that key"),
        ({"val": 9}, "has 8 val words, val: 9 are configured; lower that key"),
        ({"test": 10}, "has 9 test words, test: 10 are configured; lower that key"),
    ],
)
def test_another_or_a_short_text_is_refused(path, changes, problem):
    with pytest.raises(DataError, match=rf"ptb\.h5: {problem}"):
        load_text(path, **changes)
