"""Nets of images and reviews: their published sizes, initial weights, and logits of a plain numpy forward pass."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from problems import NETS, NUM_CLASSES, rng
from torch import Tensor, nn

from sharpest.models.build import build_model

SCNN = {"kind": "simple_cnn", "width": 32, "kernel_size": 3, "padding": "valid", "hidden": 128}
WIDE = {**SCNN, "width": 100, "kernel_size": 5}
RESNET = {"kind": "resnet", "blocks_per_stage": 5, "widths": [16, 32, 64]}
RESNET_BN = {**RESNET, "batch_norm": True}
SMALL_RESNET = {**RESNET, "blocks_per_stage": 1, "widths": [2, 3, 4]}
VGG = {
    "kind": "vgg", "stages": [[64], [128], [256, 256], [512, 512], [512, 512]], "num_pools": 5, "hidden": 512,
    "dropout": 0.5, "batch_norm": True,
}  # fmt: skip
PLAIN_VGG = {**VGG, "dropout": 0, "batch_norm": False}
SMALL_VGG = {**VGG, "stages": [[2], [3, 4]], "num_pools": 1, "hidden": 5}
TEXT = {"kind": "text_cnn", "embedding": 5, "filters": 6, "hidden": 4, "dropout": 0.0}
FCN = {"kind": "fcn", "widths": [50, 40], "activation": "relu"}
C10, C100, FM = ((3, 32, 32), 10), ((3, 32, 32), 100), ((1, 28, 28), 10)
Array = NDArray[np.float64]


def layers_of(model: nn.Module, *kinds: type[nn.Module]) -> list[Any]:
    return [layer for layer in model.modules() if isinstance(layer, kinds)]


def count(module: nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


@pytest.mark.parametrize(
    ("settings", "data", "parameters"),
    [
        (SCNN, C10, 361_898), (SCNN, C100, 373_508), (SCNN, FM, 271_210),
        ({**SCNN, "padding": "same"}, C10, 591_274), ({**SCNN, "padding": "same"}, C100, 602_884),
        ({**SCNN, "padding": "same"}, FM, 467_818),
        (WIDE, C10, 2_399_518), (WIDE, C100, 2_411_128), (WIDE, FM, 2_164_118),
        ({**WIDE, "padding": "same"}, C10, 3_397_918), ({**WIDE, "padding": "same"}, FM, 3_008_918),
        (RESNET, C10, 465_674), (RESNET, C100, 471_524), (RESNET_BN, C10, 467_946), (RESNET_BN, C100, 473_796),
        (VGG, C10, 9_758_480), (VGG, C100, 9_804_650), (PLAIN_VGG, C10, 9_750_922), (PLAIN_VGG, C100, 9_797_092),
        ({**TEXT, "embedding": 50, "filters": 250, "hidden": 250}, ((400, 5_000), 2), 351_002),
        ({**TEXT, "embedding": 50, "filters": 500, "hidden": 500}, ((400, 5_000), 2), 577_002),
    ],
    ids=str,
)  # fmt: skip
def test_parameter_counts_are_those_of_the_inventory(settings: Any, data: Any, parameters: int) -> None:
    assert count(build_model(settings, *data, 0)) == parameters


@pytest.mark.parametrize("name", NETS)
def test_initial_weights_depend_only_on_the_seed(name: str) -> None:
    settings, shape = NETS[name]

    def weights(seed: int, batch_size: int = 5) -> Tensor:
        return nn.utils.parameters_to_vector(build_model(settings, shape, NUM_CLASSES, seed, batch_size).parameters())

    torch.manual_seed(1)
    first = weights(7)
    torch.manual_seed(2)
    assert torch.equal(weights(7, batch_size=9), first)
    assert not torch.equal(weights(8), first)


@pytest.mark.parametrize("name", NETS)
def test_init_scale_multiplies_the_kernels_and_nothing_else(name: str) -> None:
    """Embeddings and recurrent weights are kernels; biases, scales of batch normalisation and buffers are not."""
    settings, shape = NETS[name]
    plain, one, scaled = (
        build_model({**settings, **changes}, shape, NUM_CLASSES, 1, 5)
        for changes in ({}, {"init_scale": 1.0}, {"init_scale": 0.25})
    )
    kernels = 0
    for (key, value), same, other in zip(plain.named_parameters(), one.parameters(), scaled.parameters(), strict=True):
        assert torch.equal(same, value), key
        assert torch.equal(other, value * 0.25 if value.dim() > 1 else value), key
        kernels += value.dim() > 1
    assert kernels > 1
    for value, other in zip(plain.buffers(), scaled.buffers(), strict=True):
        assert torch.equal(other, value)


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (SCNN, (3, 32, 32)),
        ({**VGG, "stages": [[32], [64]], "num_pools": 2, "hidden": 64}, (3, 32, 32)),
        ({**TEXT, "embedding": 50, "filters": 100, "hidden": 80}, (40, 500)),
    ],
    ids=str,
)
def test_weights_are_glorot_uniform_and_biases_zero(settings: Any, shape: tuple[int, ...]) -> None:
    for layer in layers_of(build_model(settings, shape, 10, seed=5), nn.Conv1d, nn.Conv2d, nn.Linear):
        weight = layer.weight.detach()
        limit = math.sqrt(6 / (math.prod(weight.shape[2:]) * (weight.shape[0] + weight.shape[1])))
        # the largest of n uniform draws is within a few n-ths of the limit; the standard deviation is limit / sqrt 3
        assert limit * (1 - 20 / weight.numel()) < float(weight.abs().max()) <= limit
        assert float(weight.std()) == pytest.approx(limit / math.sqrt(3), rel=4 * 0.45 / math.sqrt(weight.numel()))
        assert not layer.bias.any()


@pytest.mark.parametrize("running_momentum", [None, 0.3])
@pytest.mark.parametrize(("settings", "norms"), [(RESNET_BN, 2 * 15 + 1), (VGG, 1 + 8 + 2)], ids=["resnet", "vgg"])
def test_batch_normalisation_is_that_of_keras(settings: Any, norms: int, running_momentum: float | None) -> None:
    """Epsilon 1e-3; running averages move by a hundredth per batch, or as the settings say."""
    changes = {} if running_momentum is None else {"running_momentum": running_momentum}
    layers = layers_of(build_model({**settings, **changes}, *C10, 0), nn.modules.batchnorm._BatchNorm)
    assert len(layers) == norms
    assert {(layer.eps, layer.momentum) for layer in layers} == {(1e-3, running_momentum or 0.01)}
    assert all(layer.weight.eq(1).all() and not layer.bias.any() for layer in layers)
    assert not list(build_model({**settings, "batch_norm": False}, *C10, 0).buffers())


# --- logits, compared with numpy


def convolve(images: Array, layer: nn.Conv2d, padding: str = "same", stride: int = 1) -> Array:
    """TensorFlow's "same": the total padding required by the outputs, the smaller half first."""
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    side = weight.shape[-1]
    pads = [(0, 0), (0, 0)]
    for size in images.shape[2:]:
        total = max((math.ceil(size / stride) - 1) * stride + side - size, 0) if padding == "same" else 0
        pads.append((total // 2, total - total // 2))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(images, pads), (side, side), (2, 3))
    return np.einsum("nihwab,oiab->nohw", windows[:, :, ::stride, ::stride], weight) + bias[:, None, None]


def pool(images: Array) -> Array:
    height, width = (side // 2 for side in images.shape[2:])
    cells = images[:, :, : 2 * height, : 2 * width].reshape(*images.shape[:2], height, 2, width, 2)
    return cells.max(axis=(3, 5))


def dense(x: Array, layer: nn.Linear) -> Array:
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def norms_of(model: nn.Module) -> Callable[[Array], Array]:
    """Applies the next normalisation of the net, if it has any."""
    layers = iter(layers_of(model, nn.modules.batchnorm._BatchNorm))
    normalised = bool(layers_of(model, nn.modules.batchnorm._BatchNorm))

    def apply(x: Array) -> Array:
        if not normalised:
            return x
        layer = next(layers)
        mean, var, scale, shift = (
            value.detach().numpy().reshape(-1, *[1] * (x.ndim - 2))
            for value in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
        )
        return (x - mean) / np.sqrt(var + 1e-3) * scale + shift

    return apply


def plain_simple_cnn(model: nn.Module, images: Array, settings: Any) -> Array:
    first, second, third, fourth = layers_of(model, nn.Conv2d)
    hidden, last = layers_of(model, nn.Linear)
    x = pool(np.maximum(convolve(np.maximum(convolve(images, first), 0), second, settings["padding"]), 0))
    x = pool(np.maximum(convolve(np.maximum(convolve(x, third), 0), fourth, settings["padding"]), 0))
    return dense(np.maximum(dense(x.reshape(3, -1), hidden), 0), last)


def plain_resnet(model: nn.Module, images: Array, settings: Any) -> Array:
    """No activation after the stem, shortcuts from the input before activation, ReLU before pooling."""
    convolutions: Iterator[Any] = iter(layers_of(model, nn.Conv2d))
    normalise = norms_of(model)

    def relu(x: Array) -> Array:
        return np.maximum(normalise(x), 0)

    x = convolve(images, next(convolutions))
    for stage in range(len(settings["widths"])):
        for block in range(settings["blocks_per_stage"]):
            stride = 2 if stage > 0 and block == 0 else 1
            change = convolve(relu(x), next(convolutions), stride=stride)
            change = convolve(relu(change), next(convolutions))
            # a 1x1 kernel at stride 2 reads pixels 0, 2, 4, ...
            x = (convolve(x, next(convolutions), stride=2) if stride == 2 else x) + change
    return dense(relu(x).mean(axis=(2, 3)), model.classifier)


def plain_vgg(model: nn.Module, images: Array, settings: Any) -> Array:
    """Normalisation of the image, of every convolution before its ReLU, and of both hidden layers."""
    normalise = norms_of(model)
    convolutions, (*hidden, last) = layers_of(model, nn.Conv2d), layers_of(model, nn.Linear)
    x = normalise(images)
    ends = np.cumsum([len(stage) for stage in settings["stages"]]) - 1
    for number, layer in enumerate(convolutions):
        x = np.maximum(normalise(convolve(x, layer)), 0)
        x = pool(x) if number in ends[: settings["num_pools"]] else x
    x = x.reshape(3, -1)
    for layer in hidden:
        x = np.maximum(normalise(dense(x, layer)), 0)
    return dense(x, last)


def plain_fcn(model: nn.Module, images: Array, settings: Any) -> Array:
    *hidden, last = layers_of(model, nn.Linear)
    x = images.reshape(3, -1)
    for layer in hidden:
        x = np.tanh(dense(x, layer)) if settings["activation"] == "tanh" else np.maximum(dense(x, layer), 0)
    return dense(x, last)


@pytest.mark.parametrize(
    ("plain", "settings", "sides"),
    [
        *((plain_simple_cnn, {**SCNN, "width": 2, "hidden": 7, "kernel_size": size, "padding": padding}, (18, 19))
          for size in (3, 5) for padding in ("valid", "same")),
        *((plain_resnet, {**SMALL_RESNET, "blocks_per_stage": blocks, "batch_norm": norm}, (8, 12))
          for blocks in (1, 2) for norm in (False, True)),
        *((plain_vgg, {**SMALL_VGG, "num_pools": pools, "batch_norm": norm}, (8, 8))
          for pools in (1, 2) for norm in (True, False)),
        *((plain_fcn, {**FCN, "widths": widths, "activation": activation}, (6, 5))
          for widths in ([50, 40], [11], []) for activation in ("relu", "tanh")),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)  # fmt: skip
def test_logits_are_those_of_a_plain_forward_pass(plain: Any, settings: Any, sides: tuple[int, int]) -> None:
    """In inference mode, with running averages that differ from those of the images, and no dropout."""
    model = build_model(settings, (3, *sides), 5, seed=1).double().eval()
    for value in [*model.parameters(), *model.buffers()]:
        if value.dim() == 1:
            nn.init.uniform_(value, 0.5, 2, generator=rng(2))  # zeros and ones would hide these
    images = torch.randn(3, 3, *sides, generator=rng(3), dtype=torch.float64)
    expected = plain(model, images.numpy(), settings)
    np.testing.assert_allclose(model(images).detach().numpy(), expected, rtol=1e-10, atol=1e-12)


def test_the_largest_response_of_each_filter_over_a_review_is_classified() -> None:
    model = build_model(TEXT, (9, 20), 3, seed=1).double().eval()
    words = torch.randint(0, 20, (4, 9), generator=rng(2))
    values = {name: value.detach().numpy() for name, value in model.named_parameters()}
    windows = np.lib.stride_tricks.sliding_window_view(values["embedding.weight"][words.numpy()], 3, axis=1)
    responses = np.einsum("nted,fed->ntf", windows, values["convolution.weight"]) + values["convolution.bias"]
    features = np.maximum(responses, 0).max(axis=1)
    expected = dense(np.maximum(dense(features, model.hidden), 0), model.classifier)
    np.testing.assert_allclose(model(words).detach().numpy(), expected, atol=1e-12)
    assert 0.04 < float(model.embedding.weight.detach().abs().max()) <= 0.05


# --- what only one net has


@pytest.mark.parametrize(
    ("changes", "scale"), [({}, 1 / 15), ({"blocks_per_stage": 1}, 1 / 3), ({"batch_norm": True}, 1)]
)
def test_convolutions_of_a_resnet_have_the_scaled_standard_deviation_after_the_cut(changes: Any, scale: float) -> None:
    """The actual value is sqrt(2 c / fan_in); the nominal values, divided by 0.8796, are cut at two."""
    model = build_model({**RESNET, **changes}, *C10, 4)
    convolutions = layers_of(model, nn.Conv2d)
    for layer in convolutions:
        std = math.sqrt(2 * scale / (layer.weight.shape[1] * math.prod(layer.weight.shape[2:])))
        # a cut normal has kurtosis 2.4: the relative error of its standard deviation is sqrt((2.4 - 1) / 4n)
        sampling_error = 4 * math.sqrt(0.35 / layer.weight.numel())
        assert float(layer.weight.detach().square().mean().sqrt()) == pytest.approx(std, rel=sampling_error)
        assert float(layer.weight.detach().abs().max()) <= 2 * std / 0.8796 * (1 + 1e-4)
        assert not layer.bias.any()
    # some of 36,864 draws are close to the cut, and none lies on it
    largest = max(convolutions, key=count).weight.detach()
    assert float(largest.abs().max()) == pytest.approx(2 * math.sqrt(2 * scale / 576) / 0.8796, rel=3e-3)
    assert largest.abs().unique().numel() > 0.99 * largest.numel()
    limit = math.sqrt(6 / 74)  # the dense layer is Glorot-uniform
    assert limit * 0.95 < float(model.classifier.weight.detach().abs().max()) <= limit


def test_dropout_sits_before_the_hidden_layers_of_a_vgg() -> None:
    model = build_model(SMALL_VGG, (3, 8, 8), 10, 0).train()
    seen: list[Tensor] = []
    for layer in layers_of(model.classifier, nn.Linear):
        layer.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    torch.manual_seed(1)
    model(torch.randn(400, 3, 8, 8, generator=rng(3)))
    # about half of the ReLUs after batch normalisation are zero, and dropout removes half of the others
    assert [float((inputs == 0).float().mean()) for inputs in seen] == pytest.approx([0.75, 0.75, 0.5], abs=0.1)
    assert {layer.p for layer in layers_of(build_model(PLAIN_VGG, *C10, 0), nn.Dropout)} == {0}


def test_dropout_of_the_net_for_reviews_acts_on_embeddings_and_hidden_units() -> None:
    seen: list[tuple[int, ...]] = []
    model = build_model({**TEXT, "dropout": 0.5}, (9, 20), 2, seed=1).train()
    model.dropout.register_forward_hook(lambda layer, inputs, output: seen.append(tuple(output.shape)))
    words = torch.randint(0, 20, (4, 9), generator=rng(2))
    torch.manual_seed(0)
    assert not torch.equal(model(words), model(words))
    assert seen[:2] == [(4, 9, 5), (4, 4)]
    assert torch.equal(model.eval()(words), model(words))


@pytest.mark.parametrize(("activation", "gain"), [("relu", 2), ("tanh", 1)])
def test_weights_of_an_fcn_are_normal_of_variance_gain_over_inputs(activation: str, gain: int) -> None:
    model = build_model({**FCN, "widths": [300, 200], "activation": activation, "output_scale": 3}, (3, 6, 5), 7, 3)
    *hidden, last = layers_of(model, nn.Linear)
    for layer, variance in (*((layer, gain) for layer in hidden), (last, 9)):
        weights = layer.weight.detach() * math.sqrt(layer.in_features / variance)
        size = weights.numel()
        assert float(weights.mean()) == pytest.approx(0, abs=4 / math.sqrt(size))
        assert float(weights.square().mean()) == pytest.approx(1, abs=4 * math.sqrt(2 / size))
        assert float(weights.abs().max()) > 2.7  # 1.7 for a uniform distribution
        assert not layer.bias.any()
    zero = build_model({**FCN, "output_scale": 0}, (3, 6, 5), 7, 3)
    assert not zero(torch.randn(2, 3, 6, 5, generator=rng(1))).any()
    assert all(layer.weight.all() for layer in layers_of(zero, nn.Linear)[:-1])
