"""The measured losses: nets of the study on data that come with scikit-learn and Python."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sharpest.data.randomness import generator
from sharpest.data.sources.images import read_digits
from sharpest.data.sources.tokens import read_python_topics
from sharpest.models.build import build_model
from sharpest.models.flat import FlatModel

SEED = 777


@dataclass(frozen=True)
class Problem:
    """A net and the examples of its Hessian.

    Attributes:
        model: The net.
        inputs, targets: All examples, for training.
        count: N, the number of leading examples used for the Hessian.
        lr, batch_size, steps: Settings of the SGD run up to the late point.
        zoom: Steps between points as in the paper's zoom: 512 images, or 460 windows (inventory, Figure 4).
    """

    name: str
    model: FlatModel
    inputs: Tensor
    targets: Tensor
    count: int
    lr: float
    batch_size: int
    steps: int
    zoom: int = 16

    @property
    def chunk(self) -> tuple[Tensor, Tensor]:
        return self.inputs[: self.count], self.targets[: self.count]

    def gradient(self, theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        theta = theta.detach().requires_grad_()
        return torch.autograd.grad(self.model.loss(theta, inputs, targets), theta)[0]

    def trajectory(self, num_points: int, every: float | None = None) -> list[Tensor]:
        """Parameters (p,) at equal intervals of SGD from initialisation; up to the late point if ``every`` is None."""
        theta, points = self.model.initial(), []
        every = every or self.steps / (num_points - 1)
        marks = {round(index * every) for index in range(num_points)}
        for step in range(max(marks) + 1):
            if step in marks:
                points.append(theta)
            rows = torch.randint(len(self.targets), (self.batch_size,), generator=generator(SEED, "batch", step))
            theta = theta - self.lr * self.gradient(theta, self.inputs[rows], self.targets[rows])
        return points


def _images(count: int, side: int, channels: int) -> tuple[Tensor, Tensor]:
    """scikit-learn's digits, enlarged and standardised."""
    data = read_digits()
    images = torch.from_numpy(data.train_inputs[:count]).float()
    images = (images - images.mean()) / images.std()
    if side > 8:
        images = functional.interpolate(images, size=(side, side), mode="bilinear")
    return images.expand(-1, channels, -1, -1).contiguous(), torch.from_numpy(data.train_targets[:count])


def _net(settings: dict[str, Any], shape: tuple[int, ...], num_classes: int) -> FlatModel:
    return FlatModel(build_model(settings, shape, num_classes, SEED, 1))


def _small_net() -> Problem:
    settings = {"kind": "simple_cnn", "width": 4, "kernel_size": 3, "padding": "same", "hidden": 16}
    return Problem("digits", _net(settings, (1, 8, 8), 10), *_images(1_024, 8, 1), 512, 0.1, 32, 400)


def simple_cnn(width: int = 32, count: int = 64, name: str = "SimpleCNN") -> Problem:
    settings = {"kind": "simple_cnn", "width": width, "kernel_size": 3, "padding": "valid", "hidden": 4 * width}
    images = _images(1_024, 32, 3)
    return Problem(name, _net(settings, (3, 32, 32), 10), *images, count, 0.05, 32, 150)


def _resnet() -> Problem:
    settings = {"kind": "resnet", "blocks_per_stage": 5, "widths": [16, 32, 64]}
    return Problem("ResNet-32", _net(settings, (3, 32, 32), 10), *_images(512, 32, 3), 32, 0.1, 32, 80)


def _lstm() -> Problem:
    settings = {"kind": "lstm", "width": 200, "num_layers": 2, "dropout": 0.0}
    words = torch.from_numpy(read_python_topics().train).long().clamp(max=1_999)
    windows = words[: len(words) // 21 * 21].view(-1, 21)
    model = _net(settings, (20, 2_000), 2_000)
    return Problem("LSTM", model, windows[:, :-1].contiguous(), windows[:, 1:].contiguous(), 32, 1.0, 20, 150, 23)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "digits": cache(_small_net),
    "SimpleCNN": cache(simple_cnn),
    "SimpleCNN, N 256": cache(partial(simple_cnn, count=256, name="SimpleCNN, N 256")),
    "ResNet-32": cache(_resnet),
    "LSTM": cache(_lstm),
}
