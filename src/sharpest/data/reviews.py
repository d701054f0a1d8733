"""Reviews, cut or padded to one length, and their stream of mini-batches."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sharpest.config.run import ReviewSettings, RunSettings
from sharpest.data.dataset import RunData, Split, source_of, training_stream
from sharpest.results.datasets import REVIEWS
from sharpest.results.file import open_stored

PADDING, UNKNOWN = 0, 2  # word ids of Keras


def load(path: str | Path, settings: RunSettings, device: torch.device) -> RunData:
    """Read decoded reviews, split them by the seed, keep the last words of each.

    Args:
        path: A data file (layout ``reviews``).
        settings: The run: source, number of reviews in each split, length, vocabulary.
        device: Where the tensors go.

    Raises:
        DataError: If the file holds a source other than the one in the settings.

    Source: inventory 1.1.
    """
    dataset = settings.dataset
    assert isinstance(dataset, ReviewSettings)
    with open_stored(path, REVIEWS) as file:
        name = source_of(path, file.attributes, dataset.source)
        pool, test = (
            _same_length(file[f"{part}_tokens"], file[f"{part}_offsets"], dataset) for part in ("train", "test")
        )
        pool_targets, test_targets = file["train_targets"], file["test_targets"]
        num_classes, digest = file.attributes["num_classes"], file.digest
    order = np.random.RandomState(settings.seed).permutation(len(pool))

    def split(words: NDArray[np.int64], targets: NDArray[np.int64]) -> Split:
        return Split(torch.from_numpy(words).to(device), torch.from_numpy(targets).to(device))

    first, last = order[: dataset.train], order[len(order) - dataset.val :]
    train = split(pool[first], pool_targets[first])
    return RunData(
        train=train,
        val=split(pool[last], pool_targets[last]),
        test=split(test[: dataset.test], test_targets[: dataset.test]),
        stream=training_stream(train, settings),
        input_shape=(dataset.length, dataset.vocabulary),
        num_classes=num_classes,
        name=name,
        digest=digest,
    )


def _same_length(tokens: NDArray[np.int32], offsets: NDArray[np.int64], dataset: ReviewSettings) -> NDArray[np.int64]:
    """(n, length): the last words of each review, padded in front; rare words become the unknown word."""
    words = np.where(tokens < dataset.vocabulary, tokens, UNKNOWN)
    rows = np.full((len(offsets) - 1, dataset.length), PADDING, dtype=np.int64)
    for row, start, end in zip(rows, offsets[:-1], offsets[1:], strict=True):
        kept = words[max(start, end - dataset.length) : end]
        row[dataset.length - len(kept) :] = kept
    return rows
