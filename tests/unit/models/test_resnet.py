"""ResNet with and without batch normalisation, compared with the inventory's numbers and a plain numpy forward pass."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from problems import rng
from torch import nn

from sharpest.models.build import build_model
from sharpest.models.resnet import ResNet

RESNET_32 = {"kind": "resnet", "blocks_per_stage": 5, "widths": [16, 32, 64]}
RESNET_32_BN = {**RESNET_32, "batch_norm": True}


def resnet(settings: dict[str, object], image_shape: tuple[int, ...], num_classes: int, seed: int = 0) -> ResNet:
    model = build_model(settings, image_shape, num_classes, seed)
    assert isinstance(model, ResNet)
    return model


def count(module: nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


@pytest.mark.parametrize(
    ("settings", "num_classes", "parameters"),
    [(RESNET_32, 10, 465_674), (RESNET_32, 100, 471_524), (RESNET_32_BN, 10, 467_946), (RESNET_32_BN, 100, 473_796)],
)
def test_parameter_counts_are_those_of_the_inventory(settings, num_classes: int, parameters: int) -> None:
    assert count(resnet(settings, (3, 32, 32), num_classes)) == parameters


def test_the_parts_are_those_of_the_inventory() -> None:
    model = resnet(RESNET_32, (3, 32, 32), 10)
    blocks = [count(block) for block in model.blocks]
    assert count(model.stem) == 448
    assert blocks == [
        *[2 * 2_320] * 5,
        4_640 + 9_248 + 544,
        *[2 * 9_248] * 4,
        18_496 + 36_928 + 2_112,
        *[2 * 36_928] * 4,
    ]
    assert count(model.classifier) == 650
    kernels = [layer.kernel_size for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert (kernels.count((3, 3)), kernels.count((1, 1))) == (31, 2)


def convolve(images: NDArray[np.float64], layer: nn.Conv2d, stride: int) -> NDArray[np.float64]:
    """TensorFlow's "same": the total padding required by the outputs, the smaller half first."""
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    side = weight.shape[-1]
    pads = []
    for size in images.shape[2:]:
        total = max((math.ceil(size / stride) - 1) * stride + side - size, 0)
        pads.append((total // 2, total - total // 2))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(images, ((0, 0), (0, 0), *pads)), (side, side), (2, 3))
    return np.einsum("nihwab,oiab->nohw", windows[:, :, ::stride, ::stride], weight) + bias[:, None, None]


def normalise(x: NDArray[np.float64], layer: nn.BatchNorm2d) -> NDArray[np.float64]:
    mean, var, scale, shift = (
        value.detach().numpy()[:, None, None]
        for value in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return (x - mean) / np.sqrt(var + 1e-3) * scale + shift


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("blocks_per_stage", [1, 2])
def test_logits_are_those_of_a_plain_forward_pass(blocks_per_stage: int, batch_norm: bool) -> None:
    """No activation after the stem, shortcuts from the input before activation, TensorFlow's padding, ReLU before
    pooling.

    With batch normalisation, in inference mode, before each ReLU, and none on the shortcut.
    """
    widths = [2, 3, 4]
    settings = {**RESNET_32, "blocks_per_stage": blocks_per_stage, "widths": widths, "batch_norm": batch_norm}
    model = resnet(settings, (3, 8, 12), 5).double().eval()
    for value in model.parameters():
        if value.dim() == 1:
            nn.init.normal_(value, generator=rng(2))  # zero biases would hide a missing one
    for value in model.buffers():
        nn.init.uniform_(value, 0.5, 2, generator=rng(4))
    images = torch.randn(3, 3, 8, 12, generator=rng(3), dtype=torch.float64)
    convolutions = iter([layer for layer in model.modules() if isinstance(layer, nn.Conv2d)])
    norms = iter([layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)])

    def relu(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.maximum(normalise(x, next(norms)) if batch_norm else x, 0)

    x = convolve(images.numpy(), next(convolutions), 1)
    for stage in range(len(widths)):
        for block in range(blocks_per_stage):
            stride = 2 if stage > 0 and block == 0 else 1
            change = convolve(relu(x), next(convolutions), stride)
            change = convolve(relu(change), next(convolutions), 1)
            # a 1x1 kernel at stride 2 reads pixels 0, 2, 4, ...
            shortcut = convolve(x, next(convolutions), 2) if stride == 2 else x
            x = shortcut + change
    weight, bias = model.classifier.weight.detach().numpy(), model.classifier.bias.detach().numpy()
    logits = relu(x).mean(axis=(2, 3)) @ weight.T + bias

    np.testing.assert_allclose(model(images).detach().numpy(), logits, rtol=1e-10, atol=1e-12)


def test_a_strided_convolution_pads_the_bottom_and_the_right() -> None:
    block = resnet({**RESNET_32, "blocks_per_stage": 1, "widths": [1, 1]}, (1, 4, 4), 2).blocks[1]
    with torch.no_grad():
        for layer in (block.first, block.second, block.shortcut):
            layer.weight.zero_()
        block.first.weight[0, 0, 0, 0] = 1  # the top left tap
        block.second.weight[0, 0, 1, 1] = 1
    images = torch.arange(16.0).view(1, 1, 4, 4)
    # padding at the top left would put zeros into the first row and column
    assert block(images).flatten().tolist() == [0, 2, 8, 10]


def test_the_shortcut_reads_the_even_pixels_of_the_raw_input() -> None:
    block = resnet({**RESNET_32, "blocks_per_stage": 1, "widths": [1, 1]}, (1, 4, 4), 2).blocks[1]
    with torch.no_grad():
        block.second.weight.zero_()
        block.shortcut.weight.fill_(1)
    images = -torch.arange(16.0).view(1, 1, 4, 4)  # negative: an activation would give zeros
    assert block(images).flatten().tolist() == [0, -2, -8, -10]


def test_convolutions_have_the_scaled_standard_deviation_after_the_cut() -> None:
    """The actual value is sqrt(2 c / fan_in) with c = 1/15; the nominal values, divided by 0.8796, are cut at two."""
    model = resnet(RESNET_32, (3, 32, 32), 10, seed=4)
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    for layer in convolutions:
        std = math.sqrt(2 / 15 / (layer.weight.shape[1] * math.prod(layer.weight.shape[2:])))
        # a cut normal has kurtosis 2.4: the relative error of its standard deviation is sqrt((2.4 - 1) / 4n)
        sampling_error = 4 * math.sqrt(0.35 / layer.weight.numel())
        assert float(layer.weight.detach().square().mean().sqrt()) == pytest.approx(std, rel=sampling_error)
        assert float(layer.weight.detach().abs().max()) <= 2 * std / 0.8796 * (1 + 1e-4)
        assert not layer.bias.any()
    largest = max(convolutions, key=count).weight
    # some of 36,864 draws are close to the cut, and none lies on it
    assert float(largest.detach().abs().max()) == pytest.approx(2 * math.sqrt(2 / 15 / 576) / 0.8796, rel=2e-3)
    assert largest.abs().unique().numel() > 0.99 * largest.numel()


def test_with_batch_normalisation_the_standard_deviation_is_not_scaled() -> None:
    model = resnet(RESNET_32_BN, (3, 32, 32), 10, seed=4)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            std = math.sqrt(2 / (layer.weight.shape[1] * math.prod(layer.weight.shape[2:])))
            sampling_error = 4 * math.sqrt(0.35 / layer.weight.numel())
            assert float(layer.weight.detach().square().mean().sqrt()) == pytest.approx(std, rel=sampling_error)


@pytest.mark.parametrize("running_momentum", [None, 0.3])
def test_batch_normalisation_is_that_of_keras(running_momentum: float | None) -> None:
    """Two in each block and one at the end; epsilon 1e-3; averages move by a hundredth, or as the settings say."""
    changes = {} if running_momentum is None else {"running_momentum": running_momentum}
    model = resnet({**RESNET_32_BN, **changes}, (3, 32, 32), 10)
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == 2 * 15 + 1
    assert {(layer.eps, layer.momentum) for layer in norms} == {(1e-3, running_momentum or 0.01)}
    assert all(layer.weight.eq(1).all() and not layer.bias.any() for layer in norms)
    assert not list(resnet(RESNET_32, (3, 32, 32), 10).buffers())


def test_the_scale_is_one_over_the_number_of_blocks() -> None:
    """A net of 3 blocks starts with sqrt(5) times the weights of a net of 15."""
    model = resnet({**RESNET_32, "blocks_per_stage": 1}, (3, 32, 32), 10)
    largest = max((layer for layer in model.modules() if isinstance(layer, nn.Conv2d)), key=count).weight
    assert float(largest.detach().square().mean().sqrt()) == pytest.approx(math.sqrt(2 / 3 / 576), rel=0.015)


def test_the_dense_layer_is_glorot_uniform() -> None:
    classifier = resnet(RESNET_32, (3, 32, 32), 100).classifier
    limit = math.sqrt(6 / 164)
    assert limit * 0.99 < float(classifier.weight.abs().max()) <= limit
    assert float(classifier.weight.std()) == pytest.approx(limit / math.sqrt(3), rel=0.03)
    assert not classifier.bias.any()


def test_initial_weights_depend_only_on_the_seed() -> None:
    def weights(seed: int) -> torch.Tensor:
        model = resnet({**RESNET_32, "blocks_per_stage": 1}, (1, 8, 8), 3, seed)
        return nn.utils.parameters_to_vector(model.parameters())

    torch.manual_seed(1)
    first = weights(7)
    torch.manual_seed(2)
    assert torch.equal(weights(7), first)
    assert not torch.equal(weights(8), first)
