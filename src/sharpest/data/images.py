"""Images: split, centred and scaled as in the paper's code, and augmented by flips and shifts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sharpest.config.run import ImageSettings, RunSettings
from sharpest.data.dataset import RunData, Split, source_of, training_stream
from sharpest.errors import DataError
from sharpest.results.datasets import DATA
from sharpest.results.file import open_stored


def augment(images: Tensor, draws: Tensor, flip: bool, shift: float) -> Tensor:
    """Flip and shift each image.

    Args:
        images: (n, c, h, w).
        draws: (n, 3), uniform in [0, 1): the flip (below 1/2: flipped), then the two shifts.
        flip: Whether images may be flipped.
        shift: Largest shift as a fraction of the side.

    Returns:
        (n, c, h, w).

    Source: inventory 1.1 (Keras' image generator, whose shifts blur most images slightly).
    """
    draws = draws.to(images)
    matrix = torch.zeros(len(images), 2, 3, device=images.device, dtype=images.dtype)
    matrix[:, 0, 0] = torch.where(draws[:, 0] < 0.5, -1.0, 1.0) if flip else 1.0
    matrix[:, 1, 1] = 1
    # grid coordinates run from -1 to 1, so a side is 2 long
    matrix[:, 1, 2] = 2 * shift * (2 * draws[:, 1] - 1)
    matrix[:, 0, 2] = 2 * shift * (2 * draws[:, 2] - 1)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


_ARRAYS = ("train_inputs", "train_targets", "test_inputs", "test_targets")


def load(path: str | Path, settings: RunSettings, device: torch.device) -> RunData:
    """Read decoded images, split them by the seed, subtract the mean training image, divide by one scalar.

    A full-batch run trains on the first images of its training set; mean and scale are taken over the whole set.

    Args:
        path: A data file (layout ``data``).
        settings: The run: source, number of examples in each split, side to resize images to (bilinear).
        device: Where the tensors go.

    Raises:
        DataError: If the file holds a source other than the one in the settings, or too few images.

    Source: inventory 1.1.
    """
    dataset, image_size = settings.dataset, settings.model["image_size"]
    assert isinstance(dataset, ImageSettings)
    stored, attributes, digest = _read(path, dataset)
    pool, pool_targets = stored["train_inputs"], stored["train_targets"]
    order = np.random.RandomState(settings.seed).permutation(len(pool))
    parts = {"train": order[: dataset.train], "val": order[len(order) - dataset.val :]}
    inputs = {part: _as_float(pool[rows], image_size) for part, rows in parts.items()}
    mean = inputs["train"].mean(dim=0)
    std = inputs["train"].double().std(unbiased=False).float()

    def split(values: Tensor, targets: NDArray[Any]) -> Split:
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
        test=split(_as_float(stored["test_inputs"], image_size), stored["test_targets"]),
        stream=training_stream(train, settings, change if augmented else None),
        input_shape=tuple(train.inputs.shape[1:]),
        num_classes=attributes["num_classes"],
        name=attributes["dataset"],
        digest=digest,
    )


def _read(path: str | Path, dataset: ImageSettings) -> tuple[dict[str, NDArray[Any]], dict[str, Any], str]:
    """Arrays, attributes and digest of a data file, with as many test images as configured."""
    with open_stored(path, DATA) as file:
        source_of(path, file.attributes, dataset.source)
        arrays = {array: file[array] for array in _ARRAYS}
        attributes, digest = file.attributes, file.digest
    for array in ("test_inputs", "test_targets"):
        arrays[array] = arrays[array][: dataset.test]
    for part, needed, images in (
        ("train + val", dataset.train + dataset.val, arrays["train_inputs"]),
        ("test", dataset.test, arrays["test_inputs"]),
    ):
        if needed > len(images):
            raise DataError(f"{path}: has {len(images)} images for {part}, {needed} are configured; lower these keys")
    return arrays, attributes, digest


def _as_float(images: NDArray[Any], side: int | None) -> Tensor:
    """Pixel values from 0 to 1, the images resized to ``side`` pixels."""
    values = torch.from_numpy(images).float() / 255
    if side is None or side == values.shape[-1]:
        return values
    return functional.interpolate(values, size=(side, side), mode="bilinear", align_corners=False)
