"""What a run sees of its data, whatever kind of data it is; ``images`` and ``tokens`` load theirs as this."""

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
        """The first ``num_examples``, or all where there are fewer."""
        return Split(self.inputs[:num_examples], self.targets[:num_examples])


class Stream(Protocol):
    """Which training examples an iteration sees: a pure function of seed and position."""

    def batch(self, iteration: int) -> Split:
        """The mini-batch of update number ``iteration``, from 0."""

    def sample(self, purpose: str, counter: int, num_examples: int) -> Split:
        """``num_examples`` different training examples, as training sees them, by purpose and counter."""


@dataclass(frozen=True)
class RunData:
    """Training, validation and test examples of one seed, clean, and the stream that training sees.

    ``input_shape`` is that of one example: (channels, height, width), or (time, vocabulary) of words; ``digest`` is
    that of the data file.
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
        DataError, StoreError: If the file is not what the settings name.
    """
    module = import_module(data_module(settings.dataset.kind))
    data: RunData = module.load(path, settings, device)
    return data
