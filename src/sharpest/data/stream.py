"""Which training examples an iteration sees: a pure function of seed and position in the stream."""

from functools import lru_cache

import torch
from torch import Tensor

from sharpest.data.augmentation import NUM_DRAWS, augment
from sharpest.data.dataset import Split
from sharpest.randomness import generator


class TrainingStream:
    """Mini-batches of a run, and further draws from the same augmented training set.

    With augmentation, batches are cut from one endless stream of shuffled passes, so that a batch may straddle two
    passes; without, the incomplete last batch of a pass is dropped. Order and augmentation depend on the seed and the
    position in the stream alone, so that runs which differ in learning rate, batch size or gamma see the same examples.

    Source: inventory 1.1, 1.3.
    """

    def __init__(self, train: Split, batch_size: int, seed: int, flip: bool, shift: float) -> None:
        self._train = train
        self._batch_size = batch_size
        self._seed = seed
        self._flip, self._shift = flip, shift
        self.augmented = flip or shift > 0
        self.steps_per_epoch = max(1, len(train) // batch_size)
        self._pass = lru_cache(maxsize=2)(self._draw_pass)

    def _draw_pass(self, number: int) -> tuple[Tensor, Tensor]:
        order = torch.randperm(len(self._train), generator=generator(self._seed, "order", number))
        draws = torch.rand(len(order), NUM_DRAWS, generator=generator(self._seed, "augmentation", number))
        return order, draws

    def batch(self, iteration: int) -> Split:
        """The mini-batch of update number ``iteration``, from 0."""
        size, total = self._batch_size, len(self._train)
        if self.augmented:
            number, start = divmod(iteration * size, total)
        else:
            number, step = divmod(iteration, self.steps_per_epoch)
            start = step * size
        order, draws = self._pass(number)
        rows, row_draws = order[start : start + size], draws[start : start + size]
        while len(rows) < min(size, total):
            number += 1
            order, draws = self._pass(number)
            missing = size - len(rows)
            rows, row_draws = torch.cat([rows, order[:missing]]), torch.cat([row_draws, draws[:missing]])
        return self._take(rows, row_draws)

    def sample(self, purpose: str, counter: int, num_examples: int) -> Split:
        """``num_examples`` different augmented training examples, drawn anew for each purpose and counter."""
        rng = generator(self._seed, purpose, counter)
        rows = torch.randperm(len(self._train), generator=rng)[:num_examples]
        return self._take(rows, torch.rand(num_examples, NUM_DRAWS, generator=rng))

    def _take(self, rows: Tensor, draws: Tensor) -> Split:
        rows = rows.to(self._train.targets.device)
        return Split(augment(self._train.inputs[rows], draws, self._flip, self._shift), self._train.targets[rows])
