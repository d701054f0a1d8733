"""SimpleCNN, compared with the inventory's numbers and a plain numpy forward pass."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from problems import rng
from torch import nn

from sharpest.models.build import build_model


def settings(width: int = 32, kernel_size: int = 3, padding: str = "valid", hidden: int = 128) -> dict[str, object]:
    return {"kind": "simple_cnn", "width": width, "kernel_size": kernel_size, "padding": padding, "hidden": hidden}


@pytest.mark.parametrize(
    ("width", "kernel_size", "padding", "image_shape", "num_classes", "parameters"),
    [
        (32, 3, "same", (3, 32, 32), 10, 591_274),
        (32, 3, "same", (3, 32, 32), 100, 602_884),
        (32, 3, "valid", (3, 32, 32), 10, 361_898),
        (32, 3, "valid", (3, 32, 32), 100, 373_508),
        (100, 5, "valid", (3, 32, 32), 10, 2_399_518),
        (100, 5, "valid", (3, 32, 32), 100, 2_411_128),
        (100, 5, "same", (3, 32, 32), 10, 3_397_918),
        (32, 3, "same", (1, 28, 28), 10, 467_818),
        (32, 3, "valid", (1, 28, 28), 10, 271_210),
        (100, 5, "valid", (1, 28, 28), 10, 2_164_118),
        (100, 5, "same", (1, 28, 28), 10, 3_008_918),
    ],
)
def test_parameter_counts_are_those_of_the_inventory(
    width: int, kernel_size: int, padding: str, image_shape: tuple[int, ...], num_classes: int, parameters: int
) -> None:
    model = build_model(settings(width, kernel_size, padding), image_shape, num_classes, seed=0)
    assert sum(value.numel() for value in model.parameters()) == parameters


def test_the_parts_of_the_valid_net_are_those_of_the_inventory() -> None:
    layers = [layer for layer in build_model(settings(), (3, 32, 32), 10, seed=0).modules() if hasattr(layer, "weight")]
    counts = [sum(value.numel() for value in layer.parameters()) for layer in layers]
    assert counts == [896, 9_248, 18_496, 36_928, 295_040, 1_290]


def convolve(images: NDArray[np.float64], layer: nn.Conv2d, padding: str) -> NDArray[np.float64]:
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    side = weight.shape[-1]
    if padding == "same":
        images = np.pad(images, ((0, 0), (0, 0), (side // 2, side // 2), (side // 2, side // 2)))
    windows = np.lib.stride_tricks.sliding_window_view(images, (side, side), axis=(2, 3))
    return np.einsum("nihwab,oiab->nohw", windows, weight) + bias[:, None, None]


def pool(images: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = (side // 2 for side in images.shape[2:])
    cells = images[:, :, : 2 * height, : 2 * width].reshape(*images.shape[:2], height, 2, width, 2)
    return cells.max(axis=(3, 5))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_logits_are_those_of_a_plain_forward_pass(padding: str, kernel_size: int) -> None:
    model = build_model(settings(2, kernel_size, padding, hidden=7), (3, 18, 19), 4, seed=1).double()
    for value in model.parameters():
        if value.dim() == 1:
            nn.init.normal_(value, generator=rng(2))  # zero biases would hide a missing one
    images = torch.randn(3, 3, 18, 19, generator=rng(3), dtype=torch.float64)
    first, second, third, fourth = (layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    dense, last = (layer for layer in model.modules() if isinstance(layer, nn.Linear))

    x = np.maximum(convolve(images.numpy(), first, "same"), 0)
    x = pool(np.maximum(convolve(x, second, padding), 0))
    x = np.maximum(convolve(x, third, "same"), 0)
    x = pool(np.maximum(convolve(x, fourth, padding), 0)).reshape(3, -1)
    x = np.maximum(x @ dense.weight.detach().numpy().T + dense.bias.detach().numpy(), 0)
    x = x @ last.weight.detach().numpy().T + last.bias.detach().numpy()

    np.testing.assert_allclose(model(images).detach().numpy(), x, rtol=1e-10, atol=1e-12)


def test_weights_are_glorot_uniform_and_biases_zero() -> None:
    model = build_model(settings(), (3, 32, 32), 10, seed=5)
    for layer in model.modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        area = math.prod(layer.weight.shape[2:])
        limit = math.sqrt(6 / (area * (layer.weight.shape[0] + layer.weight.shape[1])))
        assert layer.weight.abs().max() <= limit
        # the largest of n uniform draws is within a few n-ths of the limit; the standard deviation is limit / sqrt 3
        assert layer.weight.abs().max() > limit * (1 - 20 / layer.weight.numel())
        sampling_error = 4 * 0.45 / math.sqrt(layer.weight.numel())
        assert float(layer.weight.std()) == pytest.approx(limit / math.sqrt(3), rel=sampling_error)
        assert not layer.bias.any()


def test_initial_weights_depend_only_on_the_seed() -> None:
    def weights(seed: int) -> torch.Tensor:
        return nn.utils.parameters_to_vector(build_model(settings(4, hidden=8), (1, 14, 14), 3, seed).parameters())

    torch.manual_seed(1)
    first = weights(7)
    torch.manual_seed(2)
    assert torch.equal(weights(7), first)
    assert not torch.equal(weights(8), first)
