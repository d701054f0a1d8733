"""The check that a loss is deterministic."""

import re

import pytest
import torch
from problems import NETS, examples, reduced_model, rng
from torch import nn

from sharpest.curvature.differentiation import NotDeterministicError, check_deterministic, check_independent

pytestmark = pytest.mark.core


def check(module: nn.Module) -> None:
    inputs = torch.randn(8, 4, generator=rng(0))
    check_deterministic(lambda: module(inputs).square().mean(), module)


def with_layer(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), layer), nn.Linear(4, 2))


def test_dropout_in_training_mode_is_named() -> None:
    message = re.escape("1.1 (Dropout) in training mode; call eval() on the model")
    with pytest.raises(NotDeterministicError, match=message):
        check(with_layer(nn.Dropout(0.5)).train())


class LeakyNorm(nn.BatchNorm1d):
    """Normalises with moving averages that training mode keeps changing, so each pass changes the next."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        super().forward(x)
        return (x - self.running_mean) / (self.running_var + self.eps).sqrt()


def test_batch_normalisation_in_training_mode_is_named() -> None:
    with pytest.raises(NotDeterministicError, match=re.escape("1.1 (LeakyNorm) in training mode")):
        check(with_layer(LeakyNorm(4)).train())


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), LeakyNorm(4), nn.BatchNorm1d(4)])
def test_inference_mode_passes(layer: nn.Module) -> None:
    check(with_layer(layer).eval())


@pytest.mark.parametrize("name", NETS)
def test_the_nets_pass(name: str) -> None:
    model, (inputs, targets) = reduced_model(name), examples(name)
    check_deterministic(lambda: model.loss(model.initial(), inputs, targets), model.module)


@pytest.mark.parametrize("name", ["vgg", "lstm", "text-cnn"])
def test_a_net_with_dropout_is_refused_in_training_mode(name: str) -> None:
    model, (inputs, targets) = reduced_model(name), examples(name)
    model.module.train()
    with pytest.raises(NotDeterministicError, match=r"\(Dropout\).* in training mode; call eval\(\) on the model"):
        check_deterministic(lambda: model.loss(model.initial(), inputs, targets), model.module)


def test_a_cause_outside_the_layers_is_not_blamed_on_them() -> None:
    draws = rng(0)
    with pytest.raises(NotDeterministicError, match="no dropout or batch normalisation is in training mode"):
        check_deterministic(lambda: torch.rand((), generator=draws), nn.Dropout(0.5).eval())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverged_loss_is_not_called_random(value: float) -> None:
    check_deterministic(lambda: torch.tensor(value), nn.Identity())


def test_a_loss_that_is_sometimes_nan_is_refused() -> None:
    values = iter([float("nan"), 1.0])
    with pytest.raises(NotDeterministicError):
        check_deterministic(lambda: torch.tensor(next(values)), nn.Identity())


def test_batch_normalisation_by_the_batch_is_named() -> None:
    """Although two evaluations agree."""
    message = re.escape("depends on the others of its batch: 1.1 (BatchNorm1d) in training mode; call eval()")
    with pytest.raises(NotDeterministicError, match=message):
        check_independent(with_layer(nn.BatchNorm1d(4)).train())
    message = re.escape("depends on the others of its batch: 1.1 (BatchNorm1d) has no running averages")
    with pytest.raises(NotDeterministicError, match=message):
        check_independent(with_layer(nn.BatchNorm1d(4, track_running_stats=False)).eval())


def test_normalisation_of_each_example_passes() -> None:
    check_independent(with_layer(nn.LayerNorm(4)).train())
    check_independent(with_layer(nn.InstanceNorm1d(4)).train())
    check_independent(with_layer(nn.BatchNorm1d(4)).eval())
