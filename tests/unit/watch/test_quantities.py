"""Each quantity, compared with a dense Hessian in float64, or with its definition."""

import copy
import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from loops import ADAPTIVE, OPTIMIZERS, cross_entropy, dense_hessian, examples, probe, smooth, train
from torch import Tensor, nn
from torch.optim import SGD, Adam

import sharpest
from sharpest.curvature import batch_curvature, batch_sharpness
from sharpest.edge import adam_edge, edge

pytestmark = pytest.mark.core

torch.set_num_threads(1)


def of_dense(net: nn.Module) -> Tensor:
    return dense_hessian(net, cross_entropy, probe())


def test_eigenvalues_and_trace_are_those_of_the_dense_hessian(recwarn: pytest.WarningsRecorder) -> None:
    """Eigenvalues are those of largest magnitude; without an optimizer there is no edge, and no message about it."""
    net = smooth()
    dense = of_dense(net)
    values = torch.linalg.eigvalsh(dense).numpy()
    given = {"num_eigenpairs": 4, "num_products": 3 * len(dense), "tolerance": 1e-5}
    reading = sharpest.watch(
        net, cross_entropy, probe(), quantities=["lambda_max", "eigenvalues", "trace"], **given
    ).last
    assert reading["lambda_max"] == pytest.approx(float(values[-1]), rel=1e-5)
    assert reading["lambda_max_error"] < 1e-4 * float(values[-1])
    assert reading["lambda_max_products"] > 3
    measured = [reading[f"eigenvalues_{number}"] for number in range(4)]
    np.testing.assert_allclose(measured, np.sort(values[np.argsort(-abs(values))[:4]])[::-1], rtol=1e-4)
    assert reading["eigenvalues"] == reading["eigenvalues_0"]
    assert reading["trace"] == pytest.approx(float(dense.trace()), rel=1e-4)
    assert math.isnan(reading["lambda_max_over_edge"])
    assert not recwarn.list


def test_a_batch_weighs_as_many_examples_as_it_has() -> None:
    """For batches of 1 and 15 the weighted mean differs from that of two halves."""
    batches = [examples(1, 4), examples(15, 5)]
    net = smooth()
    joined = [(torch.cat([batches[0][0], batches[1][0]]), torch.cat([batches[0][1], batches[1][1]]))]
    one, other = (sharpest.watch(net, cross_entropy, each, tolerance=1e-5).last for each in (batches, joined))
    assert one["lambda_max"] == pytest.approx(other["lambda_max"], rel=1e-5)
    equal = sharpest.watch(net, cross_entropy, batches, tolerance=1e-5, weights=[1, 1]).last
    assert abs(equal["lambda_max"] / one["lambda_max"] - 1) > 0.05


def test_batch_sharpness_is_that_of_the_engine() -> None:
    net, batches = smooth(), probe((8, 8, 8))
    reading = sharpest.watch(
        net, cross_entropy, probe(), quantities=["batch_sharpness"], batches=batches, num_batches=3
    )

    def flat(theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(
            lambda given: torch.func.functional_call(net, views(net, theta), (given,)), (inputs, targets)
        )

    theta = torch.cat([value.detach().flatten() for value in net.parameters()])
    gradients, curvature = batch_curvature(flat, theta, batches)
    expected = batch_sharpness(curvature, gradients.double().square().sum(dim=1))
    assert reading.last["batch_sharpness"] == pytest.approx(expected.value, rel=1e-5)
    assert reading.last["batch_sharpness_error"] == pytest.approx(expected.error, rel=1e-4)


def views(net: nn.Module, theta: Tensor) -> dict[str, Tensor]:
    parts = theta.split([value.numel() for value in net.parameters()])
    return {name: part.view_as(value) for (name, value), part in zip(net.named_parameters(), parts, strict=True)}


def test_batches_start_again_and_an_iterator_ends() -> None:
    net, drawn = smooth(), []

    class Loader(list[Any]):
        def __iter__(self) -> Any:
            drawn.append("opened")
            return super().__iter__()

    def watched(batches: Any) -> Any:
        return sharpest.watch(
            net, cross_entropy, probe(), quantities=["batch_sharpness"], batches=batches, num_batches=2
        )

    monitor = watched(Loader(probe((4, 5, 6))))
    values = [monitor.last["batch_sharpness"], *(monitor.measure()["batch_sharpness"] for _ in range(2))]
    assert len(set(values)) == 3
    assert drawn == ["opened", "opened"]
    monitor = watched(iter(probe((4, 5, 6))))
    assert monitor.measure()["batch_sharpness"] > 0
    with pytest.warns(sharpest.watch.WatchWarning, match="batches is exhausted"):
        assert math.isnan(monitor.measure()["batch_sharpness"])


class Bowl(nn.Module):
    """(x1, x2), with a quadratic loss: mean of c x^2 / 2."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.tensor([1.0, 2.0]))

    def forward(self, steepness: Tensor) -> Tensor:
        return (steepness * self.place.square()).sum(dim=1).mean() / 2


def test_critical_sharpness_of_a_quadratic_is_the_directional_one() -> None:
    """2 / eta_c = g.Hg / |g|^2 = (sum c^3 x^2) / (sum c^2 x^2) along the gradient, of all batches of a probe."""
    net = Bowl()
    optimizer = SGD(net.parameters(), lr=0.01)
    steep, flat = torch.tensor([[9.0, 3.0]]), torch.tensor([[1.0, 3.0]])

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        return model(batch)

    monitor = sharpest.watch(net, loss, [flat], optimizer=optimizer, quantities=["critical"])
    both = sharpest.watch(net, loss, [flat, steep], optimizer=optimizer, quantities="critical").last
    for c, reading in (
        (flat[0], monitor.last),
        (steep[0], monitor.measure(steep)),
        (torch.cat([flat, steep]).mean(dim=0), both),
    ):
        x = net.place.detach()
        expected = float((c**3 * x**2).sum() / (c**2 * x**2).sum())
        assert reading["critical"] == pytest.approx(expected, rel=1 / 16)
        assert reading["critical_over_edge"] == pytest.approx(expected * 0.01 / 2, rel=1 / 16)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_the_preconditioned_one_is_that_of_the_dense_matrices(name: str) -> None:
    net = smooth()
    optimizer = OPTIMIZERS[name](net.parameters())
    quantities = ["lambda_max", "preconditioned"]
    monitor = sharpest.watch(net, cross_entropy, probe(), optimizer, at=[6], quantities=quantities, tolerance=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the advice to add the quantity has been followed
        train(net, optimizer, monitor.step)
    scale, decay = by_hand(name, optimizer), 0.01 if name == "adam" else 0.0
    root = torch.diag(scale.rsqrt())
    dense = root @ (of_dense(net) + decay * torch.eye(len(scale))) @ root
    expected = float(torch.linalg.eigvalsh(dense)[-1])
    assert monitor.last["preconditioned"] == pytest.approx(expected, rel=1e-4)
    edges = {"adam": adam_edge(0.01, 0.9), "adamw": adam_edge(0.01, 0.9, 0.1), "rmsprop": edge(0.01, 0.5)}
    assert monitor.last["preconditioned_over_edge"] == pytest.approx(expected / edges[name], rel=1e-4)
    assert math.isnan(monitor.last["lambda_max_over_edge"])


def test_the_headline_of_eigenvalues_is_the_largest_in_magnitude_and_lambda_max_the_largest() -> None:
    """Of quadratics; a negative one has no edge."""

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        return (model.weight.flatten().square() * batch[0]).sum() / 2

    for diagonal, expected, largest in (
        ([-5.0, -4.0, -3.0, -2.0, -1.0], -5.0, -1.0),
        ([3.0, -1.0, 2.0, -2.0, 0.5], 3.0, 3.0),
        ([0.5, 0.2, -4.0, -3.0, -2.0], -4.0, 0.5),
    ):
        net = nn.Linear(5, 1, bias=False)
        optimizer = SGD(net.parameters(), lr=0.1)
        quantities = ("eigenvalues", "lambda_max")
        monitor = sharpest.watch(
            net, loss, [torch.tensor([diagonal])], optimizer, quantities=quantities, num_eigenpairs=3
        )
        assert monitor.last["lambda_max"] == pytest.approx(largest, rel=1e-3)
        assert monitor.last["eigenvalues"] == pytest.approx(expected, rel=1e-3)
        assert math.isnan(monitor.last["eigenvalues_over_edge"]) == (expected < 0)
        assert str(monitor.last).startswith(f"eigenvalues {expected:.4g} +- ")


def by_hand(name: str, optimizer: torch.optim.Optimizer) -> Tensor:
    """P from the optimizer's state, after 6 updates."""
    parts = []
    for value in optimizer.param_groups[0]["params"]:
        state = {key: torch.as_tensor(part).double() for key, part in optimizer.state[value].items()}
        if name == "rmsprop":
            parts.append((state["square_avg"] - state["grad_avg"] ** 2).sqrt() + 1e-8)
        else:
            square = state["max_exp_avg_sq" if name == "adam" else "exp_avg_sq"]
            parts.append((1 - 0.9**6) * ((square / (1 - 0.999**6)).sqrt() + 1e-8))
    return torch.cat([part.flatten() for part in parts])


def test_a_loss_that_is_not_finite_is_recorded_and_training_goes_on() -> None:
    net = smooth()
    optimizer = SGD(net.parameters(), lr=0.1)
    quantities = ["lambda_max", "eigenvalues", "trace", "batch_sharpness", "critical"]
    monitor = sharpest.watch(net, cross_entropy, probe(), optimizer=optimizer, every=1, quantities=quantities)
    healthy = copy.deepcopy(net.state_dict())
    net[0].weight.data.fill_(math.nan)
    with pytest.warns(sharpest.watch.WatchWarning, match="not finite: NaN is recorded"):
        reading = monitor.step()
    assert reading["finite"] == 0
    assert all(math.isnan(reading[name]) for name in quantities)
    assert "the loss is not finite" in str(reading)
    net.load_state_dict(healthy)
    assert monitor.step()["lambda_max"] == pytest.approx(monitor.values["lambda_max"][0], rel=1e-5)
    assert monitor.values["finite"].tolist() == [1, 0, 1]


def test_a_search_starts_where_the_previous_one_ended() -> None:
    net = smooth()
    monitor = sharpest.watch(net, cross_entropy, probe(), quantities=["eigenvalues"])
    cold = monitor.last["eigenvalues_products"]
    assert monitor.measure()["eigenvalues_products"] < cold


def test_the_state_of_an_adaptive_optimizer_decides_what_is_preconditioned() -> None:
    """Before the first update nothing; far below epsilon, epsilon decides, which is reported; it is advised."""
    for eps, expected in ((1e-12, 0.0), (1e3, 1.0)):
        net = smooth()
        optimizer = Adam(net.parameters(), eps=eps)
        first = sharpest.watch(net, cross_entropy, probe(), optimizer=optimizer, quantities=["preconditioned"]).last
        assert math.isnan(first["preconditioned"])
        assert first["finite"] == 1
        assert not optimizer.state
        train(net, optimizer, lambda batch: None)
        reading = sharpest.watch(net, cross_entropy, probe(), optimizer, quantities="preconditioned").last
        assert reading["preconditioned_floor_share"] == pytest.approx(expected, abs=1e-6)
    with pytest.warns(sharpest.watch.WatchWarning, match="add the quantity preconditioned"):
        sharpest.watch(net, cross_entropy, probe(), optimizer)
