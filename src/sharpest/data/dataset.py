"""Images split, centred and scaled as the paper's code does."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sharpest.config.run import DatasetSettings
from sharpest.errors import DataError
from sharpest.store.data import DATA
from sharpest.store.file import open_stored


@dataclass(frozen=True)
class Split:
    """Examples and their classes: ``inputs`` (n, c, h, w) float32, ``targets`` (n,) int64."""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def first(self, num_examples: int) -> "Split":
        """The first ``num_examples``, or all where there are fewer."""
        return Split(self.inputs[:num_examples], self.targets[:num_examples])


@dataclass(frozen=True)
class ImageData:
    """Training, validation and test images of one seed."""

    train: Split
    val: Split
    test: Split
    num_classes: int
    name: str
    sha256: str


def load_images(
    path: str | Path, settings: DatasetSettings, image_size: int | None, seed: int, device: torch.device
) -> ImageData:
    """Read decoded images, split them by the seed, subtract the mean training image, divide by one scalar.

    Args:
        path: A data file (layout ``data``).
        settings: Which source is expected, and how many examples of each split.
        image_size: Side to resize to (bilinear); None leaves images as they are.
        seed: Permutes the training pool; its first ``train`` and last ``val`` examples are used.
        device: Where the tensors go.

    Raises:
        DataError: If the file holds another source than the settings name.

    Source: inventory 1.1.
    """
    with open_stored(path, DATA) as file:
        name = file.attributes["dataset"]
        if name != settings.source:
            raise DataError(f"{path}: holds {name}, expected {settings.source}; delete it and run snakemake again")
        pool, pool_targets = file["train_inputs"], file["train_targets"]
        test, test_targets = file["test_inputs"][: settings.test], file["test_targets"][: settings.test]
        num_classes, sha256 = file.attributes["num_classes"], file.attributes["sha256"]
    order = np.random.RandomState(seed).permutation(len(pool))
    parts = {"train": order[: settings.train], "val": order[len(order) - settings.val :]}

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

    return ImageData(
        train=split(inputs["train"], pool_targets[parts["train"]]),
        val=split(inputs["val"], pool_targets[parts["val"]]),
        test=split(as_float(test), test_targets),
        num_classes=num_classes,
        name=name,
        sha256=sha256,
    )
