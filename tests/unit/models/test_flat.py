"""A module as a function of one vector."""

import pytest
import torch
from problems import NETS, rng
from torch import nn
from torch.nn import functional

from sharpest.models.build import build_model
from sharpest.models.flat import FlatModel


def net(name: str) -> nn.Module:
    settings, side = NETS[name]
    return build_model(settings, (1, side, side), 4, seed=1).eval()


def small(l2: float = 0.0) -> FlatModel:
    torch.manual_seed(0)
    return FlatModel(nn.Sequential(nn.Flatten(), nn.Linear(6, 3), nn.Tanh(), nn.Linear(3, 2)), l2)


@pytest.mark.parametrize("name", NETS)
def test_views_give_back_the_parameters(name: str) -> None:
    model = FlatModel(net(name))
    views = model.views(model.initial())
    parameters = dict(model.module.named_parameters())
    assert list(views) == list(parameters)
    assert all(torch.equal(views[name], value) for name, value in parameters.items())
    assert sum(view.numel() for view in views.values()) == model.num_parameters == len(model.initial())
    assert [(name, tuple(view.shape)) for name, view in views.items()] == model.layout


def test_views_share_memory_with_theta() -> None:
    model = small()
    theta = model.initial()
    model.views(theta)["1.weight"][0, 0] = 7.0
    assert theta[0] == 7.0


def test_initial_is_a_copy() -> None:
    model = small()
    model.initial().zero_()
    assert model.initial().any()


def test_loss_is_that_of_the_module() -> None:
    model = small()
    inputs, targets = torch.randn(5, 6, generator=rng(1)), torch.randint(0, 2, (5,), generator=rng(2))
    expected = functional.cross_entropy(model.module(inputs), targets)
    torch.testing.assert_close(model.loss(model.initial(), inputs, targets), expected)
    # the vector counts, not the module's own parameters
    other = model.initial() + 0.1
    nn.utils.vector_to_parameters(other, model.module.parameters())
    torch.testing.assert_close(
        small().loss(other, inputs, targets), functional.cross_entropy(model.module(inputs), targets)
    )


def test_l2_is_the_sum_of_squares_over_kernels_without_a_half() -> None:
    model = small(l2=0.3)
    theta = model.initial().double().requires_grad_()
    kernels = torch.cat([torch.ones(18), torch.zeros(3), torch.ones(6), torch.zeros(2)])  # weight, bias, weight, bias
    penalty = model.penalty(theta)
    torch.testing.assert_close(penalty, 0.3 * (kernels * theta.square()).sum())
    (gradient,) = torch.autograd.grad(penalty, theta)
    torch.testing.assert_close(gradient, 2 * 0.3 * kernels * theta.detach())


def test_l2_counts_once_in_the_loss() -> None:
    inputs, targets = torch.randn(5, 6, generator=rng(1)), torch.randint(0, 2, (5,), generator=rng(2))
    with_l2, without = small(l2=0.3), small()
    theta = with_l2.initial()
    difference = with_l2.loss(theta, inputs, targets) - without.loss(theta, inputs, targets)
    torch.testing.assert_close(difference, with_l2.penalty(theta))


def test_convolution_kernels_carry_l2() -> None:
    model = FlatModel(net("resnet"), l2=1.0)
    expected = sum(value.square().sum() for name, value in model.module.named_parameters() if name.endswith("weight"))
    torch.testing.assert_close(model.penalty(model.initial()), expected)


@pytest.mark.parametrize("name", NETS)
def test_a_float64_vector_runs_in_float64(name: str) -> None:
    model = FlatModel(net(name), l2=0.1)
    side = NETS[name][1]
    inputs, targets = torch.randn(5, 1, side, side, generator=rng(1)), torch.randint(0, 4, (5,), generator=rng(2))
    single = model.loss(model.initial(), inputs, targets)
    double = model.loss(model.initial().double(), inputs, targets)
    penalty = model.penalty(model.initial().double())
    expected = functional.cross_entropy(net(name).double()(inputs.double()), targets) + penalty
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    # float32 anywhere on the way would cost eight digits
    torch.testing.assert_close(double, expected, rtol=1e-13, atol=0)
