"""Images split, centred and scaled as the paper's code does."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sharpest.config.datasets import ImageSettings
from sharpest.config.run import RunSettings
from sharpest.data.augmentation import augment
from sharpest.data.dataset import RunData, Split
from sharpest.data.shuffled import ShuffledStream
from sharpest.errors import DataError
from sharpest.results.data import DATA
from sharpest.results.file import open_stored


def load(path: str | Path, settings: RunSettings, device: torch.device) -> RunData:
    """Read decoded images, split them by the seed, subtract the mean training image, divide by one scalar.

    A full-batch run trains on the first images of its training set; mean and scale are those of the whole set.

    Args:
        path: A data file (layout ``data``).
        settings: The run: source, number of examples of each split, side to resize images to (bilinear).
        device: Where the tensors go.

    Raises:
        DataError: If the file holds another source than the settings name, or fewer images than they ask for.

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
        for part, asked, found in (("train + val", dataset.train + dataset.val, pool), ("test", dataset.test, test)):
            if asked > len(found):
                raise DataError(f"{path}: has {len(found)} images for {part}, {asked} are asked for; lower these keys")
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
    augmented = dataset.flip or dataset.shift > 0
    change = partial(augment, flip=dataset.flip, shift=dataset.shift)
    return RunData(
        train=train,
        val=split(inputs["val"], pool_targets[parts["val"]]),
        test=split(as_float(test), test_targets),
        stream=ShuffledStream(train, settings.batch_size, settings.seed, change if augmented else None),
        input_shape=tuple(train.inputs.shape[1:]),
        num_classes=num_classes,
        name=name,
        sha256=sha256,
    )
