"""The fully connected net, compared with a plain forward pass, and its initial weights."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from problems import rng
from torch import Tensor, nn

from sharpest.models.build import build_model


def net(**changes: Any) -> nn.Module:
    settings = {"kind": "fcn", "widths": [50, 40], "activation": "relu", **changes}
    return build_model(settings, (3, 6, 5), 7, seed=3)


def dense(module: nn.Module) -> list[nn.Linear]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("widths", [[50, 40], [11], []])
def test_logits_are_those_of_a_plain_forward_pass(widths: list[int], activation: str) -> None:
    module = net(widths=widths, activation=activation).double()
    images = torch.randn(4, 3, 6, 5, generator=rng(1), dtype=torch.float64)
    x = images.numpy().reshape(4, 90)
    sizes = [90, *widths, 7]
    layers = dense(module)
    assert [tuple(layer.weight.shape) for layer in layers] == list(zip(sizes[1:], sizes[:-1], strict=True))
    for number, layer in enumerate(layers):
        layer.bias.data.normal_(generator=rng(number))  # zero biases would hide a missing one
        x = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        if number < len(widths):
            x = np.tanh(x) if activation == "tanh" else np.maximum(x, 0)
    np.testing.assert_allclose(module(images).detach().numpy(), x, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("activation", "gain"), [("relu", 2), ("tanh", 1)])
def test_weights_are_normal_of_variance_gain_over_inputs(activation: str, gain: int) -> None:
    *hidden, last = dense(net(widths=[300, 200], activation=activation, output_scale=3))
    for layer, variance in (*((layer, gain) for layer in hidden), (last, 9)):
        weights = layer.weight.detach() * math.sqrt(layer.in_features / variance)
        count = weights.numel()
        assert float(weights.mean()) == pytest.approx(0, abs=4 / math.sqrt(count))
        assert float(weights.square().mean()) == pytest.approx(1, abs=4 * math.sqrt(2 / count))
        assert float(weights.abs().max()) > 2.7  # 1.7 for a uniform distribution
        assert not layer.bias.any()


def test_the_last_layer_may_start_at_zero() -> None:
    module = net(output_scale=0)
    assert not module(torch.randn(2, 3, 6, 5, generator=rng(1))).any()
    assert all(layer.weight.all() for layer in dense(module)[:-1])


def test_initial_weights_depend_only_on_the_seed() -> None:
    def weights(seed: int) -> Tensor:
        module = build_model({"kind": "fcn", "widths": [4], "activation": "tanh"}, (1, 4, 4), 3, seed)
        return nn.utils.parameters_to_vector(module.parameters())

    torch.manual_seed(1)
    first = weights(7)
    torch.manual_seed(2)
    assert torch.equal(weights(7), first)
    assert not torch.equal(weights(8), first)
