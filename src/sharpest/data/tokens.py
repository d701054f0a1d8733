"""A text as parallel streams of words for training, and as windows of words for all other uses."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sharpest.config.run import RunSettings, TokenSettings
from sharpest.data.dataset import RunData, Split, source_of
from sharpest.data.randomness import generator
from sharpest.errors import DataError
from sharpest.results.datasets import TOKENS
from sharpest.results.file import open_stored


def load(path: str | Path, settings: RunSettings, device: torch.device) -> RunData:
    """Read decoded words and cut each text into windows; the target of each word is the next word.

    Args:
        path: A data file (layout ``tokens``).
        settings: The run: source, number of words in each text, window, vocabulary.
        device: Where the tensors go.

    Raises:
        DataError: If the file holds a source other than the one in the settings, or too few words.

    Source: inventory 1.1.
    """
    dataset = settings.dataset
    assert isinstance(dataset, TokenSettings)
    counts = {"train": dataset.train, "val": dataset.val, "test": dataset.test}
    with open_stored(path, TOKENS) as file:
        name = source_of(path, file.attributes, dataset.source)
        for part, count in counts.items():
            if (length := file.shape(part)[0]) < count:
                raise DataError(f"{path}: has {length} {part} words, {part}: {count} are configured; lower that key")
        # words are numbered by frequency, so the last number stands for all rare words
        words = {part: np.minimum(file[part][:count], dataset.vocabulary - 1) for part, count in counts.items()}
        digest = file.digest
    texts = {part: torch.from_numpy(values.astype(np.int64)).to(device) for part, values in words.items()}
    train, val, test = (_windows(texts[part], dataset.window) for part in counts)
    stream = TokenStream(texts["train"], train, settings.batch_size, dataset.window, settings.seed)
    shape = (dataset.window, dataset.vocabulary)
    return RunData(train, val, test, stream, shape, dataset.vocabulary, name, digest)


def _windows(text: Tensor, length: int) -> Split:
    """Consecutive windows (n, length) of a text (m,); words after the last whole window are dropped."""
    count = (len(text) - 1) // length
    return Split(text[: count * length].view(count, length), text[1 : count * length + 1].view(count, length))


class TokenStream:
    """The text as ``batch_size`` parallel streams; each epoch reads them window by window from the start.

    Source: inventory 1.1, 1.3.
    """

    def __init__(self, text: Tensor, windows: Split, batch_size: int, window: int, seed: int) -> None:
        self._windows = windows
        self._window = window
        self._seed = seed
        length = len(text) // batch_size
        self._streams = text[: batch_size * length].view(batch_size, length)
        self._steps_per_epoch = (length - 1) // window

    def batch(self, iteration: int) -> Split:
        """The windows of update number ``iteration``, from 0: (batch_size, window)."""
        start = iteration % self._steps_per_epoch * self._window
        inputs = self._streams[:, start : start + self._window]
        return Split(inputs, self._streams[:, start + 1 : start + 1 + self._window])

    def sample(self, purpose: str, counter: int, num_examples: int) -> Split:
        """``num_examples`` distinct windows of the text; fixed by purpose and counter."""
        rows = torch.randperm(len(self._windows), generator=generator(self._seed, purpose, counter))[:num_examples]
        rows = rows.to(self._windows.targets.device)
        return Split(self._windows.inputs[rows], self._windows.targets[rows])
