"""Critical steps along a run's own updates, against a dense grid of losses and a dense Hessian in float64."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import (
    VGG,
    Run,
    full_batch_settings,
    hessian_settings,
    lstm_settings,
    nsgd_settings,
    run_settings,
)
from tiers import fast
from torch import Tensor

from sharpest.config.measures import Planned
from sharpest.curvature.critical import BRACKETED, NOT_FINITE
from sharpest.data.dataset import Split
from sharpest.measures.critical import MEASURE, Settings
from sharpest.measures.critical import measure as of_point
from sharpest.measures.critical.measure import measure, updates
from sharpest.measures.point import Point
from sharpest.results.stored import Measured

FINE = Settings(tolerance=1e-4)
L2 = 0.001
KINDS = {
    "sgd": run_settings(l2=L2, clip_norm=0.5),
    "momentum": run_settings(momentum=0.9),
    "nsgd": run_settings(momentum=0.5, nudge=nsgd_settings()),
    "nsgd that keeps vectors": run_settings(nudge=nsgd_settings(keep_vectors=True, hessian=hessian_settings())),
    "adamw": run_settings(optimizer="adamw", beta1=0.9, beta2=0.99, epsilon=1e-8, weight_decay=0.1, lr=0.003),
    "full batch": full_batch_settings(),
    "vgg": run_settings(model=VGG, lr=0.02),
    "lstm": lstm_settings(epochs=1),
}
# starts of epochs, where directions are refreshed; the end of the run, after which it makes no update
POINTS = [0, 3, 5, 11]


@pytest.fixture(scope="module", params=fast(KINDS, "sgd", "adamw", "lstm"))
def run(request, tmp_path_factory) -> Run:
    return Run(tmp_path_factory.mktemp("critical"), KINDS[request.param]).train()


def point_at(run: Run, iteration: int) -> Point:
    replay = run.replay()
    return Point(replay, replay.walk(), iteration, hessian_settings(), {})


def measured(run: Run, points: list[int], settings: Settings = FINE, name: str = "step") -> Measured:
    return Measured(run.measure("critical", [points], settings, schedule=name), MEASURE.layout)


def test_the_first_update_is_the_one_that_the_run_makes(run):
    """Bit for bit, and on its batch."""
    states = {state.iteration: state for state in run.replay().states([point + 1 for point in POINTS[:-1]])}
    for iteration in POINTS[:-1]:
        point = point_at(run, iteration)
        batch, direction = next(updates(point, 1))
        change = states[iteration + 1].theta.double() - point.theta.double()
        assert torch.equal(direction, -change / point.lr)
        assert torch.equal(batch.inputs, point.data.stream.batch(iteration).inputs)


def test_further_updates_are_on_other_batches(run):
    point = point_at(run, 3)
    (first, d0), (second, d1), (third, d2) = updates(point, 3)
    if run.settings.full_batch:
        return
    assert not torch.equal(first.inputs, second.inputs)
    assert not torch.equal(second.inputs, third.inputs)
    assert not torch.allclose(d0, d1)
    assert not torch.allclose(d1, d2)
    assert torch.equal(d2, list(updates(point_at(run, 3), 3))[2][1])


def test_the_end_of_a_run_has_a_next_update_too(run):
    end = run.replay().end
    (_, direction), *_ = updates(point_at(run, end), 1)
    assert direction.isfinite().all()
    assert direction.any()


def dense_sharpness(point: Point, batch: Split, direction: Tensor) -> float:
    """D.H D / D.g on the batch, with the complete Hessian."""
    model, theta = point.problem.model, point.theta.double()

    def loss(theta: Tensor) -> Tensor:
        return model.loss(theta, batch.inputs, batch.targets)

    image = torch.func.hessian(loss)(theta) @ direction
    return float(direction @ image) / float(direction @ torch.func.grad(loss)(theta))


def test_numbers_are_those_of_a_dense_grid_and_a_dense_hessian(run):
    taken = measured(run, [3, 5])
    for row, iteration in enumerate((3, 5)):
        point = point_at(run, iteration)
        (batch, direction), *_ = updates(point, 1)
        model = point.problem.model
        for kind, split in (("batch", batch), ("full", point.examples)):
            found = taken[f"{kind}_lr"][row, 0]
            if taken[f"{kind}_outcome"][row, 0] != BRACKETED:
                assert math.isnan(found)
                continue
            # the first rise lies within the last twentieth: before it, none of 60 steps raises the loss
            grid = np.array([*np.linspace(found / 60, 0.95 * found, 57), found * (1 - 1e-4), found * (1 + 1e-4)])
            with torch.no_grad():
                losses = [
                    float(model.loss(point.theta.double() - eta * direction, split.inputs, split.targets))
                    for eta in (0.0, *grid)
                ]
            risen = np.array(losses[1:]) > losses[0]
            assert risen.tolist() == [False] * 58 + [True]
        if len(direction) < 500:
            expected = dense_sharpness(point, batch, direction)
            assert taken["directional_sharpness"][row] == pytest.approx(expected, rel=1e-4)


def test_columns_computed_from_the_steps(tmp_path: Path):
    run = Run(tmp_path).train()
    taken = measured(run, [0, 4, 9], Settings(num_batches=4))
    lr = run.settings.lr
    for ending, kind in (("", "batch"), ("_full", "full")):
        each = taken[f"{kind}_lr"]
        assert each.shape == (3, 4)
        np.testing.assert_array_equal(taken[f"num_found{ending}"], np.isfinite(each).sum(axis=1))
        np.testing.assert_allclose(taken[f"critical_lr{ending}"], np.nanmean(each, axis=1))
        np.testing.assert_allclose(taken[f"critical_ratio{ending}"], taken[f"critical_lr{ending}"] / lr)
        spread = np.nanstd(each, axis=1, ddof=1) / np.sqrt(np.isfinite(each).sum(axis=1))
        np.testing.assert_allclose(taken[f"critical_lr{ending}_error"], spread)
        assert (taken[f"forwards{ending}"] >= 4 * 5).all()
    np.testing.assert_allclose(taken["critical_sharpness"], 2 / taken["critical_lr"])
    np.testing.assert_allclose(taken["directional_sharpness"], taken["batch_sharpness"].mean(axis=1))
    one = measured(run, [0], Settings(), "one")
    assert 0 < one["critical_lr_error"][0] <= one["critical_lr"][0] / 31


def test_a_search_starts_from_the_previous_one(tmp_path: Path):
    """At the first point it starts from the quadratic model, however small the learning rate."""
    run = Run(tmp_path, full_batch_settings(lr=1e-6)).train()
    together, alone = measured(run, [3, 4], Settings()), measured(run, [4], name="alone")
    # the net hardly moves: one pass tests the centre of the last bracket, and one more brackets
    assert together["forwards"][1] <= 7
    np.testing.assert_allclose(together["critical_lr"], alone["critical_lr"][0], rtol=1 / 32 + 1e-3)


def test_the_carried_value_is_the_start(tmp_path: Path):
    """A distant start costs passes, and is replaced."""
    run, found = Run(tmp_path, full_batch_settings()).train(), {}
    for factor in (1, 300):
        point = point_at(run, 4)
        exact = measure(point_at(run, 4), FINE)["critical_lr"]
        point.carried.update(batch=factor * exact, full=factor * exact)
        found[factor] = measure(point, Settings())
        assert point.carried["batch"] == pytest.approx(exact, rel=1 / 30)
    for passes in ("forwards", "forwards_full"):
        assert found[300][passes] >= found[1][passes] + 6


def test_on_the_full_batch_both_losses_are_one(tmp_path: Path):
    run = Run(tmp_path, full_batch_settings()).train()
    path = run.measure("critical", [[0, 4]], Settings(), hessian=hessian_settings(examples=12))
    taken = Measured(path, MEASURE.layout)
    np.testing.assert_array_equal(taken["critical_lr"], taken["critical_lr_full"])


@pytest.mark.parametrize("settings", [run_settings(), run_settings(momentum=0.9)])
def test_a_state_that_is_not_finite_has_no_critical_step(tmp_path: Path, settings):
    point = point_at(Run(tmp_path, settings).train(), 3)
    point.__dict__["state"] = replace(point.state, theta=point.theta * math.nan)
    values = measure(point, Settings())
    assert values["batch_outcome"].tolist() == values["full_outcome"].tolist() == [NOT_FINITE]
    assert math.isnan(values["critical_lr"])
    assert math.isnan(values["directional_sharpness"])
    assert point.carried == {}


def test_directions_that_training_keeps_are_not_computed_again(tmp_path: Path, monkeypatch):
    settings = run_settings(nudge=nsgd_settings(keep_vectors=True, hessian=hessian_settings()))
    run = Run(tmp_path, settings).train()

    def refuse(*_):
        raise AssertionError("an eigensolve")

    monkeypatch.setattr(of_point, "direction_solver", lambda problem: refuse)
    assert len(list(updates(point_at(run, 5), 2))) == 2


@pytest.mark.parametrize(("changes", "solves"), [({}, 4), ({"keep_vectors": True, "hessian": hessian_settings()}, 0)])
def test_a_forecast_counts_the_solves_of_nsgd(changes, solves):
    run = run_settings(nudge=nsgd_settings(**changes))
    costs = [MEASURE.cost(Settings(), Planned(run, hessian_settings(), point, 0)) for point in (5, 6)]
    assert [cost.eigenpairs for cost in costs] == [solves, 0]
