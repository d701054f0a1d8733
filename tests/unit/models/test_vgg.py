"""VGG-11, compared with the inventory's numbers and a plain numpy forward pass."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from problems import rng
from torch import nn

from sharpest.models.build import build_model

VGG_11 = {
    "kind": "vgg", "stages": [[64], [128], [256, 256], [512, 512], [512, 512]], "num_pools": 5, "hidden": 512,
    "dropout": 0.5, "batch_norm": True,
}  # fmt: skip
PLAIN = {**VGG_11, "dropout": 0, "batch_norm": False}
SMALL = {**VGG_11, "stages": [[2], [3, 4]], "num_pools": 1, "hidden": 5}


def vgg(settings: dict[str, Any], num_classes: int = 10, side: int = 32, seed: int = 0) -> nn.Module:
    return build_model(settings, (3, side, side), num_classes, seed)


@pytest.mark.parametrize(
    ("settings", "num_classes", "parameters"),
    [(VGG_11, 10, 9_758_480), (VGG_11, 100, 9_804_650), (PLAIN, 10, 9_750_922), (PLAIN, 100, 9_797_092)],
)
def test_parameter_counts_are_those_of_the_inventory(settings, num_classes: int, parameters: int) -> None:
    assert sum(value.numel() for value in vgg(settings, num_classes).parameters()) == parameters


def kinds(model: nn.Module) -> list[str]:
    """The layers in order, one letter each."""
    letters = {
        nn.BatchNorm2d: "N", nn.BatchNorm1d: "n", nn.Conv2d: "C", nn.ReLU: "R", nn.MaxPool2d: "P", nn.Dropout: "D",
        nn.Linear: "L",
    }  # fmt: skip
    return "".join(letters[type(layer)] for layer in model.modules() if not list(layer.children()))


def test_normalisation_and_dropout_sit_where_the_inventory_says() -> None:
    """The image, every convolution before its ReLU, both hidden layers; dropout before the hidden layers."""
    pooled, stage = "CNRP", "CNRCNRP"
    assert kinds(vgg(VGG_11)) == f"N{2 * pooled}{3 * stage}DLnRDLnRL"
    # dropout of zero is present and has no effect
    assert kinds(vgg(PLAIN)).replace("D", "") == f"{2 * 'CRP'}{3 * 'CRCRP'}LRLRL"
    assert {layer.p for layer in vgg(VGG_11).modules() if isinstance(layer, nn.Dropout)} == {0.5}
    assert {layer.p for layer in vgg(PLAIN).modules() if isinstance(layer, nn.Dropout)} == {0}


def test_only_the_first_stages_are_pooled() -> None:
    assert kinds(vgg({**SMALL, "num_pools": 1}, side=8)).count("P") == 1
    assert vgg({**SMALL, "num_pools": 1}, side=8).classifier[1].in_features == 4 * 4 * 4
    assert vgg({**SMALL, "num_pools": 2}, side=8).classifier[1].in_features == 4 * 2 * 2


@pytest.mark.parametrize("running_momentum", [None, 0.3])
def test_batch_normalisation_is_that_of_keras(running_momentum: float | None) -> None:
    """Epsilon 1e-3; running averages move by a hundredth per batch, or as the settings say."""
    changes = {} if running_momentum is None else {"running_momentum": running_momentum}
    norms = [
        layer for layer in vgg({**SMALL, **changes}).modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)
    ]
    assert len(norms) == 1 + 3 + 2
    assert {(layer.eps, layer.momentum) for layer in norms} == {(1e-3, running_momentum or 0.01)}
    assert all(layer.affine and layer.track_running_stats for layer in norms)


def test_weights_are_glorot_uniform_and_biases_zero() -> None:
    model = vgg({**VGG_11, "stages": [[32], [64]], "num_pools": 2, "hidden": 64}, seed=5)
    for layer in model.modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        area = math.prod(layer.weight.shape[2:])
        limit = math.sqrt(6 / (area * (layer.weight.shape[0] + layer.weight.shape[1])))
        weight = layer.weight.detach()
        assert limit * (1 - 20 / weight.numel()) < float(weight.abs().max()) <= limit
        assert float(weight.std()) == pytest.approx(limit / math.sqrt(3), rel=4 * 0.45 / math.sqrt(weight.numel()))
        assert not layer.bias.any()


def convolve(images: NDArray[np.float64], layer: nn.Conv2d) -> NDArray[np.float64]:
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    return np.einsum("nihwab,oiab->nohw", windows, weight) + bias[:, None, None]


def pool(images: NDArray[np.float64]) -> NDArray[np.float64]:
    n, c, height, width = images.shape
    return images.reshape(n, c, height // 2, 2, width // 2, 2).max(axis=(3, 5))


def normalise(x: NDArray[np.float64], layer: nn.Module) -> NDArray[np.float64]:
    mean, var, scale, shift = (
        value.detach().numpy().reshape(-1, *[1] * (x.ndim - 2))
        for value in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return (x - mean) / np.sqrt(var + 1e-3) * scale + shift


def dense(x: NDArray[np.float64], layer: nn.Linear) -> NDArray[np.float64]:
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


@pytest.mark.parametrize("batch_norm", [True, False])
def test_logits_are_those_of_a_plain_forward_pass(batch_norm: bool) -> None:
    """In inference mode: with running averages that differ from those of the images, and no dropout."""
    model = vgg({**SMALL, "num_pools": 2, "batch_norm": batch_norm}, 4, side=8).double().eval()
    for value in [*model.parameters(), *model.buffers()]:
        if value.dim() == 1:
            nn.init.uniform_(value, 0.5, 2, generator=rng(2))  # zeros and ones would hide these
    images = torch.randn(3, 3, 8, 8, generator=rng(3), dtype=torch.float64)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    norms = iter([layer for layer in model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)])

    def normalised(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return normalise(x, next(norms)) if batch_norm else x

    x = normalised(images.numpy())
    for number, layer in enumerate(layers[:3]):
        x = np.maximum(normalised(convolve(x, layer)), 0)
        x = pool(x) if number in (0, 2) else x
    x = x.reshape(3, -1)
    for layer in layers[3:5]:
        x = np.maximum(normalised(dense(x, layer)), 0)
    np.testing.assert_allclose(model(images).detach().numpy(), dense(x, layers[5]), rtol=1e-10, atol=1e-12)


def test_dropout_drops_half_of_the_inputs_of_both_hidden_layers() -> None:
    model = vgg(SMALL, side=8).train()
    seen = []
    for layer in model.classifier:
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    torch.manual_seed(1)
    model(torch.randn(400, 3, 8, 8, generator=rng(3)))
    first, second, last = (float((inputs == 0).float().mean()) for inputs in seen)
    # about half of the ReLUs after batch normalisation are zero, and dropout removes half of the others
    assert first == pytest.approx(0.75, abs=0.1)
    assert second == pytest.approx(0.75, abs=0.1)
    assert last == pytest.approx(0.5, abs=0.1)


def test_initial_weights_depend_only_on_the_seed() -> None:
    def weights(seed: int) -> torch.Tensor:
        return nn.utils.parameters_to_vector(vgg(SMALL, side=8, seed=seed).parameters())

    torch.manual_seed(1)
    first = weights(7)
    torch.manual_seed(2)
    assert torch.equal(weights(7), first)
    assert not torch.equal(weights(8), first)
