"""Edges from the class and the current settings of an optimizer, and its next step."""

import copy
import math
import pickle
from inspect import signature

import pytest
import torch
from loops import OPTIMIZERS, cross_entropy, dense_hessian, examples, probe, same, smooth, train, watched_on
from tiers import fast
from torch import nn
from torch.optim import SGD, Adam, AdamW, NAdam, Optimizer, RMSprop

import sharpest
from sharpest.watch.optimizers import edges_of, next_step

pytestmark = pytest.mark.core

torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda p: SGD(p, lr=0.1), 20.0),
        (lambda p: SGD(p, lr=0.1, weight_decay=0.5), 19.5),
        (lambda p: SGD(p, lr=0.1, momentum=0.9), 38.0),
        (lambda p: SGD(p, lr=0.1, momentum=0.9, dampening=0.5), 76.0),
        (lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True), 38.0 / 2.8),
    ],
)
def test_the_edge_of_sgd(make, expected: float) -> None:
    """Trained by the optimizer itself, a quadratic grows one per cent above the edge and falls one per cent below."""
    value = nn.Parameter(torch.ones(1, dtype=torch.float64))
    assert edges_of(make([value]), [value]).hessian == pytest.approx(expected)
    for share, grows in ((0.99, False), (1.01, True)):
        moved = nn.Parameter(torch.ones(1, dtype=torch.float64))
        optimizer = make([moved])
        for _ in range(1000):
            moved.grad = share * expected * moved.detach()
            optimizer.step()
        assert (abs(moved.item()) > 1) == grows


def decoupled(parameters: list[nn.Parameter]) -> Adam:
    """AdamW, as newer torch spells it."""
    if "decoupled_weight_decay" not in signature(Adam).parameters:
        pytest.skip("older torch")
    return Adam(parameters, lr=0.1, betas=(0.8, 0.999), decoupled_weight_decay=True, weight_decay=1.0)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda p: Adam(p, lr=0.1, betas=(0.8, 0.999)), 180.0),
        (decoupled, 19 * 9),
        (lambda p: AdamW(p, lr=0.1, betas=(0.8, 0.999), weight_decay=1.0), 19 * 9),
        (lambda p: RMSprop(p, lr=0.1), 20.0),
        (lambda p: RMSprop(p, lr=0.1, momentum=0.5), 30.0),
    ],
)
def test_the_edge_of_adaptive_optimizers_is_that_of_the_preconditioned_hessian(make, expected: float) -> None:
    value = nn.Parameter(torch.ones(1))
    edges = edges_of(make([value]), [value])
    assert edges.preconditioned == pytest.approx(expected)
    assert math.isnan(edges.hessian)


def test_it_follows_the_current_learning_rate() -> None:
    net = smooth()
    optimizer = SGD(net.parameters(), lr=0.1)
    monitor = sharpest.watch(net, cross_entropy, probe(), optimizer=optimizer)
    optimizer.param_groups[0]["lr"] = 0.2
    optimizer.param_groups[0]["momentum"] = 0.5
    reading = monitor.measure()
    assert (monitor.values["edge"].tolist(), monitor.values["lr"].tolist()) == ([20.0, 15.0], [0.1, 0.2])
    assert reading["lambda_max_over_edge"] == reading["lambda_max"] / 15
    optimizer.param_groups[0]["weight_decay"] = 15.0  # under which every step grows
    assert math.isnan(monitor.measure()["lambda_max_over_edge"])
    optimizer.param_groups[0]["lr"] = 0.0  # as before a warm-up, and after a decay
    reading = monitor.measure()
    assert math.isnan(reading["edge"])
    assert math.isnan(reading["lambda_max_over_edge"])
    assert "lr 0, no edge" in str(reading)


def test_what_the_optimizer_updates_is_measured() -> None:
    """The head of a net that is not frozen."""
    net = smooth()
    with pytest.warns(sharpest.watch.WatchWarning, match="updates 18 of the model's 53 trainable parameters") as caught:
        monitor = watched_on(net, cross_entropy, probe(), optimizer=SGD(net[2].parameters(), lr=0.1), tolerance=1e-6)
    assert len(caught) == 1
    frozen = smooth()
    frozen[0].requires_grad_(False)
    expected = torch.linalg.eigvalsh(dense_hessian(frozen, cross_entropy, probe()))
    assert monitor.last["lambda_max"] == pytest.approx(float(expected[-1]), rel=1e-5)
    assert all(value.requires_grad for value in net.parameters())


class WithoutHooks(SGD):
    """Wraps an optimizer, without the initialisation of its base."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.param_groups, self.state = optimizer.param_groups, optimizer.state

    def step(self, closure=None):
        return self.optimizer.step()


def test_an_optimizer_without_hooks_is_watched_without_an_edge() -> None:
    """It may step in a way of its own, so the edge of the optimizer within is not its edge."""
    net = smooth()
    optimizer = WithoutHooks(SGD(net.parameters(), lr=0.1))

    def watched() -> sharpest.watch.Monitor:
        monitor = sharpest.watch(net, cross_entropy, probe(), optimizer=optimizer, every=1)
        for _ in range(2):
            cross_entropy(net, examples()).backward()
            optimizer.step()
            monitor.step()
        return monitor

    with pytest.warns(sharpest.watch.WatchWarning, match="the edge of WithoutHooks is unknown") as caught:
        monitor = watched()
    assert len(caught) == 1
    assert (monitor.values["lambda_max"] > 0).all()


@pytest.mark.filterwarnings("ignore::sharpest.watch.WatchWarning")
@pytest.mark.parametrize("name", fast(OPTIMIZERS, "heavy ball", "adam"))
def test_a_watched_optimizer_is_copied_and_pickled_without_the_watch(name: str) -> None:
    net = smooth()
    optimizer = OPTIMIZERS[name](net.parameters())
    with sharpest.watch(net, cross_entropy, probe(), optimizer=optimizer) as monitor:
        train(net, optimizer, monitor.step, steps=1)
        for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
            assert same(twin.state_dict(), optimizer.state_dict())
            assert not twin._optimizer_step_post_hooks
    assert not optimizer._optimizer_step_post_hooks


class OfOnesOwn(SGD):
    """An optimizer with its own step rule."""


def groups(net: nn.Sequential, **second: float) -> SGD:
    return SGD([{"params": net[0].parameters()}, {"params": net[2].parameters(), **second}], lr=0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda net: OfOnesOwn(net.parameters(), lr=0.1), "the edge of OfOnesOwn is unknown"),
        (lambda net: NAdam(net.parameters(), lr=0.1), "the edge of NAdam is unknown"),
        (lambda net: groups(net, momentum=0.2), "the optimizer's groups differ"),
        (lambda net: SGD(net.parameters(), lr=0.1, maximize=True), "with maximize has no edge"),
    ],
)
def test_values_without_an_edge_are_nan_with_one_message(make, message: str) -> None:
    net = smooth()
    with pytest.warns(sharpest.watch.WatchWarning, match=message) as caught:
        monitor = watched_on(net, cross_entropy, probe(), optimizer=make(net))
    assert len(caught) == 1
    assert (monitor.values["lambda_max"] > 0).all()
    assert all(math.isnan(value) for value in monitor.values["lambda_max_over_edge"])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_tried_step_is_the_next_one(name: str) -> None:
    net = smooth()
    optimizer = OPTIMIZERS[name](net.parameters())
    train(net, optimizer, lambda batch: None, steps=3)
    parameters = list(net.parameters())
    optimizer.zero_grad()
    cross_entropy(net, examples(8, 11)).backward()
    gradient = torch.cat([value.grad.flatten() for value in parameters])
    before, state = [value.detach().clone() for value in parameters], copy.deepcopy(optimizer.state_dict())
    step = next_step(optimizer, parameters, gradient)
    assert same([value.detach() for value in parameters], before)
    assert same(optimizer.state_dict(), state)
    optimizer.step()
    expected = torch.cat([(old.double() - new.double()).flatten() for old, new in zip(before, parameters, strict=True)])
    torch.testing.assert_close(step, expected, rtol=1e-9, atol=1e-12)


def test_groups_of_other_parameters_do_not_count_and_the_lowest_edge_does() -> None:
    """Those that differ in weight decay; of several learning rates the step itself is defined, in multiples of it."""
    net, other = smooth(), nn.Linear(2, 2)
    parameters = list(net.parameters())
    optimizer = SGD([{"params": parameters}, {"params": other.parameters(), "lr": 5.0}], lr=0.1)
    assert edges_of(optimizer, parameters).hessian == 20
    assert edges_of(groups(net, weight_decay=0.5), parameters).hessian == 19.5
    reading = sharpest.watch(net, cross_entropy, probe(), optimizer=groups(net, lr=0.2), quantities=["critical"]).last
    assert math.isnan(reading["critical"])
    assert 0 < reading["critical_over_edge"] < 1


def test_a_step_that_is_tried_is_not_counted_or_cannot_be() -> None:
    """By a scheduler; an optimizer that wants a closure has no critical step."""
    net = smooth()
    optimizer = SGD(net.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    sharpest.watch(net, cross_entropy, probe(), optimizer=optimizer, quantities=["critical"])
    assert schedule.last_epoch == 0
    assert not getattr(optimizer, "_opt_called", False)
    wanting = torch.optim.LBFGS(net.parameters())
    with pytest.warns(sharpest.watch.WatchWarning, match="no critical sharpness: LBFGS cannot be tried on a copy"):
        monitor = sharpest.watch(net, cross_entropy, probe(), optimizer=wanting, quantities=["critical"])
    assert math.isnan(monitor.last["critical"])


def test_an_optimizer_may_be_replaced() -> None:
    """Unseen, it is noticed because the parameters change without an update of the watched one, which has no edge."""
    net = smooth()
    first, second = SGD(net.parameters(), lr=0.1), SGD(net.parameters(), lr=0.5)
    monitor = sharpest.watch(net, cross_entropy, probe(), optimizer=first, every=1)
    train(net, first, monitor.step, steps=2)
    with pytest.warns(sharpest.watch.WatchWarning, match=r"made no update.*set monitor\.optimizer") as caught:
        train(net, second, monitor.step, steps=2)
    assert len(caught) == 1
    monitor.optimizer = second
    train(net, second, monitor.step, steps=1)
    assert [str(value) for value in monitor.values["edge"]] == ["20.0"] * 3 + ["nan"] * 2 + ["4.0"]
    with pytest.raises(ValueError, match="trains none of the model's parameters"):
        monitor.optimizer = SGD(smooth().parameters(), lr=0.1)
    with pytest.raises(ValueError, match="optimizer is int"):
        monitor.optimizer = 3
    assert monitor.optimizer is second
    # a scaler skips updates with infinite gradients; loaded parameters may be measured between updates
    assert monitor.step()["edge"] == 4
    net.load_state_dict(smooth(1).state_dict())
    assert monitor.measure()["edge"] == 4
