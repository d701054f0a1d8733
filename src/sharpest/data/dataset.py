"""The data of a run, in the same form for every kind of data (``images``, ``reviews``, ``tokens``, ...)."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from sharpest.config.run import RunSettings
from sharpest.data import data_module


@dataclass(frozen=True)
class Split:
    """Examples and their targets.

    Attributes:
        inputs: (n, c, h, w) float32 images, or (n, time) int64 words.
        targets: (n,) int64 classes, or (n, time) int64 next words.
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def first(self, num_examples: int) -> "Split":
        """The first ``num_examples``, or all if there are fewer."""
        return Split(self.inputs[:num_examples], self.targets[:num_examples])


class Stream(Protocol):
    """The training examples of each iteration: a pure function of seed and position."""

    def batch(self, iteration: int) -> Split:
        """The mini-batch of update number ``iteration``, from 0."""

    def sample(self, purpose: str, counter: int, num_examples: int) -> Split:
        """``num_examples`` distinct training examples, augmented as in training; fixed by purpose and counter."""


@dataclass(frozen=True)
class RunData:
    """Training, validation and test examples of one seed, without augmentation, and the stream of training batches.

    ``input_shape`` is the shape of one example: (channels, height, width), or (time, vocabulary) for words. ``digest``
    is the digest of the data file.
    """

    train: Split
    val: Split
    test: Split
    stream: Stream
    input_shape: tuple[int, ...]
    num_classes: int
    name: str
    digest: str


def load_data(path: str | Path, settings: RunSettings, device: torch.device) -> RunData:
    """Read the data of a run.

    Args:
        path: A data file.
        settings: The run.
        device: Where the tensors go.

    Raises:
        DataError, StoreError: If the file is damaged, or does not hold the data that the settings name.
    """
    module = import_module(data_module(settings.dataset.kind))
    data: RunData = module.load(path, settings, device)
    return data
