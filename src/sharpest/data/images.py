"""Images split, centred and scaled as the paper's code does, and the stream of augmented mini-batches."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sharpest.config.datasets import ImageSettings
from sharpest.config.run import RunSettings
from sharpest.data.augmentation import NUM_DRAWS, augment
from sharpest.data.dataset import RunData, Split
from sharpest.errors import DataError
from sharpest.randomness import generator
from sharpest.store.data import DATA
from sharpest.store.file import open_stored


def load(path: str | Path, settings: RunSettings, device: torch.device) -> RunData:
    """Read decoded images, split them by the seed, subtract the mean training image, divide by one scalar.

    A full-batch run trains on the first images of its training set; mean and scale are those of the whole set.

    Args:
        path: A data file (layout ``data``).
        settings: The run: source, number of examples of each split, side to resize images to (bilinear).
        device: Where the tensors go.

    Raises:
        DataError: If the file holds another source than the settings name.

    Source: inventory 1.1.
    """
    dataset, image_size = settings.dataset, settings.model["image_size"]
    assert isinstance(dataset, ImageSettings)
    with open_stored(path, DATA) as file:
        name = file.attributes["dataset"]
        if name != dataset.source:
            raise DataError(f"{path}: holds {name}, expected {dataset.source}; delete it and run snakemake again")
        pool, pool_targets = file["train_inputs"], file["train_targets"]
        test, test_targets = file["test_inputs"][: dataset.test], file["test_targets"][: dataset.test]
        num_classes, sha256 = file.attributes["num_classes"], file.attributes["sha256"]
    order = np.random.RandomState(settings.seed).permutation(len(pool))
    parts = {"train": order[: dataset.train], "val": order[len(order) - dataset.val :]}

    def as_float(images: np.ndarray) -> Tensor:  # type: ignore[type-arg]
        values = torch.from_numpy(images).float() / 255
        if image_size is None or image_size == values.shape[-1]:
            return values
        return functional.interpolate(values, size=(image_size, image_size), mode="bilinear", align_corners=False)

    inputs = {part: as_float(pool[rows]) for part, rows in parts.items()}
    mean = inputs["train"].mean(dim=0)
    std = inputs["train"].double().std(unbiased=False).float()

    def split(values: Tensor, targets: np.ndarray) -> Split:  # type: ignore[type-arg]
        centred = ((values - mean) / std).to(device)
        return Split(centred, torch.from_numpy(targets).to(device))

    train = split(inputs["train"], pool_targets[parts["train"]])
    if settings.full_batch:
        train = train.first(settings.batch_size)
    return RunData(
        train=train,
        val=split(inputs["val"], pool_targets[parts["val"]]),
        test=split(as_float(test), test_targets),
        stream=ImageStream(train, settings.batch_size, settings.seed, dataset.flip, dataset.shift),
        num_classes=num_classes,
        name=name,
        sha256=sha256,
    )


class ImageStream:
    """Mini-batches of a run, and further draws from the same augmented training set.

    With augmentation, batches are cut from one endless stream of shuffled passes, so that a batch may straddle two
    passes; without, the incomplete last batch of a pass is dropped. Order and augmentation depend on the seed and the
    position in the stream alone, so that runs which differ in learning rate, batch size or gamma see the same examples.
    A batch size above the number of examples gives all of them.

    Source: inventory 1.1, 1.3.
    """

    def __init__(self, train: Split, batch_size: int, seed: int, flip: bool, shift: float) -> None:
        self._train = train
        self._batch_size = min(batch_size, len(train))
        self._seed = seed
        self._flip, self._shift = flip, shift
        self._augmented = flip or shift > 0
        self._pass = lru_cache(maxsize=2)(self._draw_pass)

    def _draw_pass(self, number: int) -> tuple[Tensor, Tensor]:
        order = torch.randperm(len(self._train), generator=generator(self._seed, "order", number))
        draws = torch.rand(len(order), NUM_DRAWS, generator=generator(self._seed, "augmentation", number))
        return order, draws

    def batch(self, iteration: int) -> Split:
        """The mini-batch of update number ``iteration``, from 0."""
        size, total = self._batch_size, len(self._train)
        if self._augmented:
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
        """``num_examples`` different augmented training examples, drawn anew for each purpose and counter."""
        rng = generator(self._seed, purpose, counter)
        rows = torch.randperm(len(self._train), generator=rng)[:num_examples]
        return self._take(rows, torch.rand(num_examples, NUM_DRAWS, generator=rng)[: len(rows)])

    def _take(self, rows: Tensor, draws: Tensor) -> Split:
        rows = rows.to(self._train.targets.device)
        return Split(augment(self._train.inputs[rows], draws, self._flip, self._shift), self._train.targets[rows])
