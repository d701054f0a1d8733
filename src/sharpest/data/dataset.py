"""The data of a run, in the same form for every kind, and its training examples as a function of seed and position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from sharpest.config.run import RunSettings
from sharpest.data import data_module
from sharpest.data.randomness import generator
from sharpest.errors import DataError


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

    def first(self, num_examples: int) -> Split:
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


def source_of(path: str | Path, attributes: Mapping[str, Any], source: str) -> str:
    """The source that a data file holds.

    Raises:
        DataError: If it is another than the one that the settings name.
    """
    recorded: str = attributes["dataset"]
    if recorded != source:
        raise DataError(f"{path}: holds {recorded}, expected {source}; delete it and run snakemake again")
    return recorded


NUM_DRAWS = 3  # uniform random numbers per augmented example

# inputs (n, ...), draws (n, 3) in [0, 1) -> changed inputs
Change = Callable[[Tensor, Tensor], Tensor]


class ShuffledStream:
    """Mini-batches of a run, and other samples of the same training set.

    With augmentation, batches are cut from one endless stream of shuffled passes, so that a batch may straddle two
    passes. Without, the incomplete last batch of a pass is dropped. Order and augmentation depend only on the seed and
    the position in the stream, so that runs which differ in learning rate, batch size or gamma see the same examples.
    A batch size above the number of examples gives all of them.

    Args:
        train: n examples.
        batch_size: Examples per update.
        seed: Seed of the run.
        change: Augmentation; None for none.
        first: An update, and the position where its batch begins: the pass, and the examples of it used before.

    Source: inventory 1.1, 1.3.
    """

    def __init__(
        self,
        train: Split,
        batch_size: int,
        seed: int,
        change: Change | None = None,
        first: tuple[int, tuple[int, int]] = (0, (0, 0)),
    ) -> None:
        self._train = train
        self._batch_size = min(batch_size, len(train))
        self._seed = seed
        self._change = change
        self._first = first
        self._pass = lru_cache(maxsize=2)(self._draw_pass)

    def _draw_pass(self, number: int) -> tuple[Tensor, Tensor]:
        order = torch.randperm(len(self._train), generator=generator(self._seed, "order", number))
        draws = torch.rand(len(order), NUM_DRAWS, generator=generator(self._seed, "augmentation", number))
        device = self._train.targets.device  # moved once per pass, so that no update waits for a copy
        return order.to(device), draws.to(device)

    def batch(self, iteration: int) -> Split:
        """The mini-batch of update number ``iteration``, from 0."""
        size = self._batch_size
        number, start = self._place(iteration)
        order, draws = self._pass(number)
        rows, row_draws = order[start : start + size], draws[start : start + size]
        if len(rows) < size:
            order, draws = self._pass(number + 1)
            missing = size - len(rows)
            rows, row_draws = torch.cat([rows, order[:missing]]), torch.cat([row_draws, draws[:missing]])
        return self._take(rows, row_draws)

    def _place(self, iteration: int) -> tuple[int, int]:
        """Where the batch of an update begins: the pass, and the examples of it used before."""
        size, total = self._batch_size, len(self._train)
        update, (first_pass, seen) = self._first
        if self._change:
            return divmod(first_pass * total + seen + (iteration - update) * size, total)
        number, step = divmod(iteration, total // size)
        # the pass of the first update may have begun with batches of another size
        begun = seen - update % (total // size) * size if number == first_pass else 0
        return number, step * size + begun

    def resized(self, batch_size: int, iteration: int) -> tuple[ShuffledStream, int]:
        """The stream from an update on, in batches of another size, and the new number of that update.

        Epochs end at the same examples as before: the updates left in the epoch are the whole batches left in it.

        Args:
            batch_size: Examples per update.
            iteration: Number of the update.
        """
        total = len(self._train)
        size, steps = min(batch_size, total), total // self._batch_size
        epoch, step = divmod(iteration, steps)
        first_pass, seen = self._place(iteration)
        of_epoch = step * self._batch_size if self._change else seen
        number = (epoch + 1) * (total // size) - (total - of_epoch) // size
        if not self._change and number == (epoch + 1) * (total // size):  # less than a batch is left
            first_pass, seen = epoch + 1, 0
        stream = ShuffledStream(self._train, batch_size, self._seed, self._change, (number, (first_pass, seen)))
        return stream, number

    def sample(self, purpose: str, counter: int, num_examples: int) -> Split:
        """``num_examples`` distinct training examples, augmented as in training; fixed by purpose and counter."""
        rng = generator(self._seed, purpose, counter)
        rows = torch.randperm(len(self._train), generator=rng)[:num_examples]
        return self._take(rows, torch.rand(num_examples, NUM_DRAWS, generator=rng)[: len(rows)])

    def _take(self, rows: Tensor, draws: Tensor) -> Split:
        rows = rows.to(self._train.targets.device)
        inputs = self._train.inputs[rows]
        return Split(self._change(inputs, draws) if self._change else inputs, self._train.targets[rows])


def training_stream(train: Split, settings: RunSettings, change: Change | None = None) -> ShuffledStream:
    """The stream of a run; with another batch size, a branch continues its parent's stream from the branch point.

    Args:
        train: n examples.
        settings: The run.
        change: Augmentation; None for none.
    """
    branch = settings.branch
    if branch is None or branch.batch_size == settings.batch_size:
        return ShuffledStream(train, settings.batch_size, settings.seed, change)
    parent = ShuffledStream(train, branch.batch_size, settings.seed, change)
    return parent.resized(settings.batch_size, settings.branch_point)[0]
