"""Losses, nets and batches that cannot be measured: one line with cause and remedy, before training begins."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from loops import cross_entropy, examples, perceptron, probe, smooth, watched_on
from torch import Tensor, nn
from torch.optim import SGD

import sharpest
from sharpest.curvature import NotDeterministicError

pytestmark = pytest.mark.core

torch.set_num_threads(1)


def of_no_parameters(model: nn.Module, batch: Any) -> Tensor:
    return batch[0].sum()


def for_each(model: nn.Module, batch: Any) -> Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")


def as_number(model: nn.Module, batch: Any) -> float:
    return float(cross_entropy(model, batch))


@pytest.mark.parametrize(
    ("message", "given"),
    [
        ("probe is empty", {"probe": []}),
        ("probe has a batch without examples", {"probe": [*probe(), examples(0)]}),
        ("probe is a single batch, expected a list of batches", {"probe": examples()}),
        ("probe is a single batch, expected a list of batches", {"probe": {"inputs": torch.zeros(3)}}),
        ("the loss does not depend on the parameters", {"loss": of_no_parameters}),
        (r"the loss has the shape \(8,\); it must be one number", {"loss": for_each}),
        ("returns float, expected a tensor", {"loss": as_number}),
        ("the model has no trainable parameter", {"model": lambda: smooth().requires_grad_(False)}),
        ("unknown quantities 'lambda'; pass one or more of lambda_max", {"quantities": ["lambda", "trace"]}),
        ("quantities is empty; pass one", {"quantities": []}),
        ("mode 'eval' must be 'current' or 'inference'", {"mode": "eval"}),
        ("num_products 3 must be at least 4", {"num_products": 3}),
        ("num_eigenpairs 0 must be at least 1", {"num_eigenpairs": 0}),
        ("steps_per_epoch 0 must be at least 1", {"steps_per_epoch": 0}),
        ("tolerance 2 must lie between 0 and 1", {"tolerance": 2}),
        (r"weights \[1\] must hold a number of at least 1 for each of the 3 batches", {"weights": [1]}),
        ("needs Adam, AdamW or RMSprop, got no optimizer", {"quantities": ["preconditioned"]}),
        ("critical needs the optimizer", {"quantities": "critical"}),
        ("optimizer is generator, expected a torch.optim.Optimizer", {"optimizer": smooth().parameters()}),
        ("trains none of the model's parameters", {"optimizer": SGD(smooth().parameters(), lr=0.1)}),
        ("every and at both set .* pass one of them", {"every": 2, "at": [1]}),
        ("budget changes every", {"at": [1], "budget": 0.1}),
        ("every 0 must be at least 1", {"every": 0}),
        ("budget 10 must lie between 0 and 1", {"budget": 10}),
        (r"in torch\.float32, but the model is in torch\.float64; convert", {"model": lambda: smooth().double()}),
        (
            r"uses model\.module, but it gets the net without its wrapper; use model",
            {"model": lambda: nn.DataParallel(smooth()), "loss": lambda net, batch: cross_entropy(net.module, batch)},
        ),
    ],
)  # fmt: skip
def test_one_line(message: str, given: dict[str, Any]) -> None:
    make: Callable[[], nn.Module] = given.pop("model", smooth)
    arguments = {"loss": cross_entropy, "probe": probe(), **given}
    with pytest.raises(ValueError, match=message) as caught:
        sharpest.watch(make(), **arguments)
    assert "\n" not in str(caught.value)


def test_a_batch_on_another_device() -> None:
    """In the probe, or passed to a step."""
    elsewhere = tuple(part.to("meta") for part in examples())
    for given in ([elsewhere], [*probe(), elsewhere]):
        with pytest.raises(ValueError, match=r"a batch is on meta, but the model is on cpu; move the batch there"):
            sharpest.watch(smooth(), cross_entropy, given)
    net = smooth()
    monitor = sharpest.watch(
        net, cross_entropy, probe(), optimizer=SGD(net.parameters(), lr=0.1), every=1, quantities=["critical"]
    )
    with pytest.raises(ValueError, match="a batch is on meta"):
        monitor.step(elsewhere)


@pytest.mark.parametrize(("number", "layer"), [(2, r"2 \(BatchNorm1d\)"), (3, r"3 \(Dropout\)")])
def test_layers_in_training_mode_are_named_with_the_remedy(number: int, layer: str) -> None:
    net = perceptron().eval()
    net[number].train()
    with pytest.raises(NotDeterministicError, match=rf"{layer} in training mode; pass mode=\"inference\"") as caught:
        sharpest.watch(net, cross_entropy, probe())
    assert "\n" not in str(caught.value)
    assert sharpest.watch(net, cross_entropy, probe(), mode="inference").last["lambda_max"] > 0
    assert net[number].training


def test_dropout_without_a_layer_has_the_remedy_as_well() -> None:
    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = smooth()

        def forward(self, inputs: Tensor) -> Tensor:
            return nn.functional.dropout(self.inner(inputs), 0.5, self.training)

    net = Dropping()
    with pytest.raises(NotDeterministicError, match=r'fix them, or pass mode="inference"'):
        sharpest.watch(net, cross_entropy, probe())
    assert sharpest.watch(net, cross_entropy, probe(), mode="inference").last["lambda_max"] > 0


def test_a_mode_that_changes_during_training_is_refused_then() -> None:
    net = perceptron().eval()
    monitor = sharpest.watch(net, cross_entropy, probe(), every=1)
    net.train()
    with pytest.raises(NotDeterministicError, match="in training mode"):
        monitor.step()


def test_batches_of_unknown_size_weigh_equally_with_one_message() -> None:
    class Graph:
        def __init__(self, batch: tuple[Tensor, Tensor]) -> None:
            self.batch = batch

    def loss(model: nn.Module, graph: Graph) -> Tensor:
        return cross_entropy(model, graph.batch)

    graphs = [Graph(batch) for batch in probe((8, 4))]
    with pytest.warns(sharpest.watch.WatchWarning, match="get equal weights; pass weights") as caught:
        monitor = watched_on(smooth(), loss, graphs)
    assert len(caught) == 1
    weighed = sharpest.watch(smooth(), loss, graphs, weights=[8, 4]).last
    assert weighed["lambda_max"] == sharpest.watch(smooth(), cross_entropy, probe((8, 4))).last["lambda_max"]
    assert not math.isclose(monitor.last["lambda_max"], weighed["lambda_max"], rel_tol=1e-3)
