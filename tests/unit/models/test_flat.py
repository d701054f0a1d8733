"""A module as a function of one vector."""

import pytest
import torch
from problems import NETS, NUM_CLASSES, examples, reduced_model, rng
from torch import nn
from torch.nn import functional

from sharpest.models.build import build_model
from sharpest.models.flat import FlatModel

TRAINED_OTHERWISE = ["resnet-bn", "vgg", "lstm"]


def net(name: str) -> nn.Module:
    settings, shape = NETS[name]
    return build_model(settings, shape, NUM_CLASSES, seed=1, batch_size=5).eval()


def small(l2: float = 0.0) -> FlatModel:
    torch.manual_seed(0)
    return FlatModel(nn.Sequential(nn.Flatten(), nn.Linear(6, 3), nn.Tanh(), nn.Linear(3, 2)), l2)


@pytest.mark.parametrize("name", NETS)
def test_vectors_are_cut_into_parameters_and_buffers(name: str) -> None:
    """Views share memory with their vector, which is a copy of the module's own values."""
    model = FlatModel(net(name))
    theta, parameters, buffers = model.initial(), dict(model.module.named_parameters()), dict(net(name).named_buffers())
    views = model.views(theta)
    assert list(views) == list(parameters) == list(model.parts())
    for key, part in model.parts().items():
        assert torch.equal(theta[part], views[key].flatten())
        assert torch.equal(views[key], parameters[key])
    assert sum(view.numel() for view in views.values()) == model.num_parameters == len(theta)
    assert [(key, tuple(view.shape)) for key, view in views.items()] == model.layout
    of_buffers = model.buffer_views(model.buffers)
    assert list(of_buffers) == list(buffers)
    assert all(torch.equal(of_buffers[key], value) for key, value in buffers.items())
    assert [(key, tuple(view.shape)) for key, view in of_buffers.items()] == model.buffer_layout
    assert bool(buffers) == (name in TRAINED_OTHERWISE)
    for view in (*views.values(), *of_buffers.values()):
        view.fill_(7)
    assert (theta == 7).all()
    assert (model.buffers == 7).all()
    assert not any((value == 7).all() for value in (*model.module.parameters(), *model.module.buffers()))


class Layout(nn.Module):
    """Records the memory format of its images."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen = images
        return images.flatten(1).sum(dim=1, keepdim=True) * self.weight


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("side", "last"), [(32, True), (28, True), (16, False)])
def test_large_images_are_channels_last(channels: int, side: int, last: bool) -> None:
    layer, images = Layout(), torch.randn(2, channels, side, side, generator=rng(0))
    model = FlatModel(layer)
    model.logits(model.initial(), images)
    assert torch.equal(layer.seen, images)
    _, c, h, w = images.shape
    assert layer.seen.stride() == ((h * w * c, 1, w * c, c) if last else (c * h * w, h * w, w, 1))


def squared(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Half the squared distance to the one-hot target, from torch's mean over all entries."""
    wanted = functional.one_hot(targets.flatten(), logits.shape[-1]).to(logits)
    return functional.mse_loss(logits.flatten(0, -2), wanted) * logits.shape[-1] / 2


@pytest.mark.parametrize("name", ["simple-cnn-same", "fcn", "lstm", "text-cnn"])
def test_the_squared_loss_is_half_the_squared_distance(name: str) -> None:
    """Mean over examples and, for a text, over words; the sum is proportional; L2 counts as always."""
    model, (inputs, targets) = FlatModel(net(name), l2=0.1, loss="squared"), examples(name, 5)
    theta = model.initial().double()
    logits = model.logits(theta, inputs)
    mean = squared(logits, targets)
    torch.testing.assert_close(model.loss(theta, inputs, targets), mean + model.penalty(theta), rtol=1e-13, atol=0)
    torch.testing.assert_close(
        model.criterion(logits, targets, reduction="sum"), targets.numel() * mean, rtol=1e-13, atol=0
    )


def test_l2_is_the_sum_of_squares_over_kernels_without_a_half() -> None:
    model = small(l2=0.3)
    theta = model.initial().double().requires_grad_()
    kernels = torch.cat([torch.ones(18), torch.zeros(3), torch.ones(6), torch.zeros(2)])  # weight, bias, weight, bias
    penalty = model.penalty(theta)
    torch.testing.assert_close(penalty, 0.3 * (kernels * theta.square()).sum())
    (gradient,) = torch.autograd.grad(penalty, theta)
    torch.testing.assert_close(gradient, 2 * 0.3 * kernels * theta.detach())


@pytest.mark.parametrize("name", NETS)
def test_a_float64_vector_runs_in_float64(name: str) -> None:
    model = FlatModel(net(name), l2=0.1)
    inputs, targets = examples(name, 5)
    single = model.loss(model.initial(), inputs, targets)
    double = model.loss(model.initial().double(), inputs, targets)
    penalty = model.penalty(model.initial().double())
    logits = net(name).double()(inputs)
    expected = functional.cross_entropy(logits.flatten(0, -2), targets.flatten()) + penalty
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    # float32 anywhere in between would cost eight digits
    torch.testing.assert_close(double, expected, rtol=1e-13, atol=0)


# --- buffers and training mode


def twin(name: str) -> tuple[FlatModel, nn.Module]:
    """A net as a function, and a copy of the same module, in float64."""
    return FlatModel(net(name).double()), net(name).double()


def bits(model: FlatModel) -> list[torch.Tensor]:
    """The complete state of the module itself."""
    return [value.clone() for value in (*model.module.parameters(), *model.module.buffers())]


@pytest.mark.parametrize("name", NETS)
def test_training_mode_is_that_of_the_module_itself(name: str) -> None:
    """Logits, gradients, and the buffers after two batches; dropout is the same for the same seed."""
    model, module = twin(name)
    before = bits(model)
    module.train()
    theta, buffers = model.initial().requires_grad_(), model.buffers.clone()
    inputs, targets = examples(name, 5)
    for seed in (-3, 11):
        logits = model.training_logits(theta, buffers, inputs, seed)
        torch.manual_seed(seed)
        expected = module(inputs)
        torch.testing.assert_close(logits, expected, rtol=1e-13, atol=1e-15)
        for key, value in module.named_buffers():
            torch.testing.assert_close(model.buffer_views(buffers)[key], value, rtol=1e-13, atol=1e-15)
    assert torch.equal(buffers, model.buffers) == (name not in TRAINED_OTHERWISE)

    (gradient,) = torch.autograd.grad(functional.cross_entropy(logits.flatten(0, -2), targets.flatten()), theta)
    functional.cross_entropy(expected.flatten(0, -2), targets.flatten()).backward()
    wanted = nn.utils.parameters_to_vector([value.grad for value in module.parameters()])
    torch.testing.assert_close(gradient, wanted, rtol=1e-11, atol=1e-14)
    assert all(torch.equal(old, new) for old, new in zip(before, bits(model), strict=True))


@pytest.mark.parametrize("name", ["resnet-bn", "vgg"])
def test_inference_mode_uses_the_buffers_that_are_bound(name: str) -> None:
    """And changes nothing; binding leaves the original model unchanged."""
    model, module = twin(name)
    other = torch.rand(len(model.buffers), generator=rng(5), dtype=torch.float64) + 0.5
    bound = model.bind(other.clone())
    inputs, _ = examples(name, 5)
    start = model.logits(model.initial(), inputs)
    for key, value in model.buffer_views(other).items():
        module.get_buffer(key).copy_(value)
    torch.testing.assert_close(bound.logits(model.initial(), inputs), module(inputs), rtol=1e-13, atol=1e-15)
    assert torch.equal(bound.buffers, other)
    assert torch.equal(model.logits(model.initial(), inputs), start)
    assert not torch.allclose(start, module(inputs))


@pytest.mark.parametrize("name", NETS)
def test_the_module_is_left_in_inference_mode(name: str) -> None:
    """After a batch, and after an interrupted batch."""
    model = FlatModel(net(name).train())
    inputs, _ = examples(name, 5)
    model.training_logits(model.initial(), model.buffers.clone(), inputs, 1)
    assert not any(layer.training for layer in model.module.modules())

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    model.module.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.training_logits(model.initial(), model.buffers.clone(), inputs, 1)
    assert not any(layer.training for layer in model.module.modules())


def test_an_epoch_starts_with_a_zero_state_and_nothing_else_changed() -> None:
    model = reduced_model("lstm")
    carried = model.buffers.clone()
    assert carried.all()  # state left by the batches of an epoch
    assert not model.start_epoch(carried).any()
    assert torch.equal(carried, model.buffers)

    mixed = nn.Module()
    mixed.first, mixed.norm, mixed.last = nn.Linear(1, 1), nn.BatchNorm1d(2), nn.Linear(1, 1)
    mixed.norm.num_batches_tracked = None
    mixed.register_buffer("state", torch.ones(3))
    mixed.carried_state = ("state",)
    model = FlatModel(mixed)
    fresh = model.buffer_views(model.start_epoch(model.buffers))
    assert not fresh["state"].any()
    assert torch.equal(fresh["norm.running_var"], torch.ones(2))
