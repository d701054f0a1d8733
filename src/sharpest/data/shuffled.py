"""Which training examples an iteration sees: a pure function of seed and position in the stream."""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from sharpest.data.dataset import Split
from sharpest.data.randomness import generator

NUM_DRAWS = 3  # uniform numbers for the change of one example

# inputs (n, ...), draws (n, 3) in [0, 1) -> changed inputs
Change = Callable[[Tensor, Tensor], Tensor]


class ShuffledStream:
    """Mini-batches of a run, and further draws from the same training set.

    Where training changes its examples (augmentation), batches are cut from one endless stream of shuffled passes, so
    that a batch may straddle two passes; else the incomplete last batch of a pass is dropped. Order and changes depend
    on the seed and the position in the stream alone, so that runs which differ in learning rate, batch size or gamma
    see the same examples. A batch size above the number of examples gives all of them.

    Args:
        train: n examples.
        batch_size: Examples of an update.
        seed: Seed of the run.
        change: Augmentation; None leaves examples as they are.

    Source: inventory 1.1, 1.3.
    """

    def __init__(self, train: Split, batch_size: int, seed: int, change: Change | None = None) -> None:
        self._train = train
        self._batch_size = min(batch_size, len(train))
        self._seed = seed
        self._change = change
        self._pass = lru_cache(maxsize=2)(self._draw_pass)

    def _draw_pass(self, number: int) -> tuple[Tensor, Tensor]:
        order = torch.randperm(len(self._train), generator=generator(self._seed, "order", number))
        draws = torch.rand(len(order), NUM_DRAWS, generator=generator(self._seed, "augmentation", number))
        device = self._train.targets.device  # once a pass, for no update to wait for its share
        return order.to(device), draws.to(device)

    def batch(self, iteration: int) -> Split:
        """The mini-batch of update number ``iteration``, from 0."""
        size, total = self._batch_size, len(self._train)
        if self._change:
            number, start = divmod(iteration * size, total)
        else:
            number, step = divmod(iteration, total // size)
            start = step * size
        order, draws = self._pass(number)
        rows, row_draws = order[start : start + size], draws[start : start + size]
        if len(rows) < size:
            order, draws = self._pass(number + 1)
            missing = size - len(rows)
            rows, row_draws = torch.cat([rows, order[:missing]]), torch.cat([row_draws, draws[:missing]])
        return self._take(rows, row_draws)

    def sample(self, purpose: str, counter: int, num_examples: int) -> Split:
        """``num_examples`` different training examples, as training sees them, by purpose and counter."""
        rng = generator(self._seed, purpose, counter)
        rows = torch.randperm(len(self._train), generator=rng)[:num_examples]
        return self._take(rows, torch.rand(num_examples, NUM_DRAWS, generator=rng)[: len(rows)])

    def _take(self, rows: Tensor, draws: Tensor) -> Split:
        rows = rows.to(self._train.targets.device)
        inputs = self._train.inputs[rows]
        return Split(self._change(inputs, draws) if self._change else inputs, self._train.targets[rows])
