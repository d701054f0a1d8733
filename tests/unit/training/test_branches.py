"""Runs that continue from another run's snapshot: the first stages of Fig. 12, the variants of Fig. 7."""

import csv
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import (
    VGG,
    Run,
    branch_settings,
    dense_hessian,
    hessian_settings,
    largest_in_magnitude,
    lstm_settings,
    run_settings,
)
from numpy.typing import NDArray
from sealed import changed

from sharpest.config.run import RunSettings
from sharpest.errors import StoreError
from sharpest.results.file import open_stored
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.trajectory.eigenpairs import hessian_examples
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import PROGRESS, TrainingState

TRUNKS = {
    "momentum": run_settings(momentum=0.5),
    "vgg": run_settings(model=VGG, momentum=0.5),
    "lstm": lstm_settings(),
}


@pytest.fixture(params=TRUNKS)
def trunk(request) -> RunSettings:
    return TRUNKS[request.param]


def snapshots(run: Run) -> dict[str, NDArray[Any]]:
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        return {dataset.name: file[dataset.name] for dataset in SNAPSHOTS.datasets}


def history(run: Run) -> list[dict[str, str]]:
    with open(run.history, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("variant", ["", "sgd"], ids=["no drop", "sgd"])
def test_a_branch_that_changes_nothing_is_its_trunk(tmp_path: Path, trunk, variant):
    """Bit for bit, snapshots and history, from the branch point on; also in the file of the sgd variant."""
    branch = Run(tmp_path, branch_settings(trunk, 1, variant)).train()
    ours, theirs = snapshots(branch), snapshots(branch.trunk)
    spe = trunk.steps_per_epoch
    assert ours["iteration"].tolist() == list(range(spe, trunk.num_iterations + 1, spe))
    assert ours["iteration"].tolist() == theirs["iteration"][1:].tolist()
    for name in ("theta", "buffers", "velocity", "lr"):
        np.testing.assert_array_equal(ours[name], theirs[name][1:])
    assert history(branch) == history(branch.trunk)[1:]


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_first_stage_changes_only_the_learning_rate(tmp_path: Path, momentum):
    """Bit for bit, compared with an explicit loop: velocity and batches continue from the trunk's."""
    branch = Run(tmp_path, branch_settings(run_settings(momentum=momentum), 2, lr_factor=0.1)).train()
    problem, theirs = branch.problem(), snapshots(branch.trunk)
    theta, velocity = torch.from_numpy(theirs["theta"][2]), torch.zeros(365)
    if momentum:
        velocity = torch.from_numpy(theirs["velocity"][2])
    states = [theta]
    for iteration in range(10, 20):
        batch = problem.data.stream.batch(iteration)
        at = theta.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(problem.model.loss(at, batch.inputs, batch.targets), at)
        velocity = torch.add(gradient * -0.01, velocity, alpha=momentum)
        theta = theta + velocity
        if iteration in (14, 19):
            states.append(theta)
    ours = snapshots(branch)
    assert ours["iteration"].tolist() == [10, 15, 20]
    assert ours["epoch"].tolist() == [2, 3, 4]
    assert ours["lr"].tolist() == [0.01, 0.01, 0.01]
    np.testing.assert_array_equal(ours["theta"], torch.stack(states).numpy())
    assert [(float(row["epoch"]), float(row["lr"])) for row in history(branch)] == [(3, 0.01), (4, 0.01)]
    assert not np.allclose(ours["theta"][-1], theirs["theta"][-1], atol=1e-4)


@pytest.mark.parametrize("variant", ["", "sgd"])
def test_the_best_of_a_branch_counts_from_the_branch_point(tmp_path: Path, variant):
    """A trunk that was better before does not count."""
    branch = Run(tmp_path, branch_settings(run_settings(), 2, variant, lr_factor=0.1)).prepare()
    with changed(branch.trunk.snapshots) as file:
        progress = file["progress"][:]
        progress[:, PROGRESS.index("best_accuracy")] = 2.0
        file["progress"][:] = progress
    branch.train()
    accuracies = [float(row["val_accuracy"]) for row in history(branch)]
    best = 10 + 5 * (1 + int(np.argmax(accuracies)))
    with open_stored(branch.snapshots, SNAPSHOTS) as file:
        assert file["iteration"][file.attributes["best"]] == best


def test_gradients_clipped_by_the_trunk_are_not_counted_again(tmp_path: Path):
    branch = Run(tmp_path, branch_settings(run_settings(clip_norm=0.01), 2)).train()
    counts = []
    for run in (branch.trunk, branch):
        with open_stored(run.snapshots, SNAPSHOTS) as file:
            counts.append(file.attributes["clipped"])
    assert counts == [20, 10]


# --- a parent that is too short


def test_a_parent_without_a_snapshot_there_is_named(tmp_path: Path):
    trunk = run_settings(snapshot_every=3)
    Run(tmp_path, trunk).train()
    branch = Run(tmp_path, branch_settings(trunk, 2))
    with pytest.raises(StoreError) as caught:
        branch.train()
    message = str(caught.value)
    assert message == (
        f"{branch.trunk.snapshots}: has no snapshot at iteration 10, where {branch.settings.run} branches off; it ends "
        "at 20"
    )
    assert not branch.snapshots.exists()


def test_a_parent_that_diverged_before_is_named(tmp_path: Path):
    trunk = run_settings(lr=1e30)
    Run(tmp_path, trunk).train()
    branch = Run(tmp_path, branch_settings(trunk, 2))
    with pytest.raises(StoreError, match=r"no snapshot at iteration 10, .*; it ends at 0, where it diverged$"):
        branch.train()
    assert not branch.snapshots.exists()


def test_a_branch_may_leave_at_the_start_of_its_trunk(tmp_path: Path):
    branch = Run(tmp_path, branch_settings(run_settings(), 0)).train()
    np.testing.assert_array_equal(snapshots(branch)["theta"], snapshots(branch.trunk)["theta"])


def test_work_on_a_parent_that_has_changed_is_not_resumed(tmp_path: Path):
    """The trunk retrained, with other weights at the branch point."""
    settings = branch_settings(run_settings(), 2, "notop")
    other = Run(tmp_path / "other", settings).prepare()
    with changed(other.trunk.snapshots) as file:
        file["theta"][2] = file["theta"][2] * np.float32(0.5)
    run = Run(tmp_path / "run", settings).prepare()

    class Stopped(BaseException):
        pass

    class Stopping:
        def update(self, done: int, note: str = "") -> None:
            if done == 15:
                raise Stopped

    with pytest.raises(Stopped):
        run.train(Stopping())
    run.trunk.snapshots.write_bytes(other.trunk.snapshots.read_bytes())
    run.train()
    other.train()
    np.testing.assert_array_equal(snapshots(run)["theta"], snapshots(other)["theta"])


# --- records of the variants of Fig. 7

VARIANTS = ("top", "ctop", "notop", "x0.5")


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request, tmp_path_factory) -> Run:
    nudge = {"hessian": hessian_settings(), "refresh_every": 3}
    settings = branch_settings(run_settings(l2=0.01), 2, request.param, nudge=nudge)
    return Run(tmp_path_factory.mktemp(request.param), settings).train()


def hessian_at(problem: Problem, state: TrainingState) -> NDArray[np.float64]:
    """Dense, in float64."""
    examples = hessian_examples(problem, state.iteration, hessian_settings())
    return dense_hessian(lambda at: problem.model.loss(at, examples.inputs, examples.targets), state.theta)


def test_eigenvalues_and_losses_are_recorded_at_each_refresh(variant):
    """At every third iteration from the branch point on: dense in float64, and the loss on clean examples."""
    arrays, problem = snapshots(variant), variant.problem()
    assert arrays["refresh_iteration"].tolist() == [10, 13, 16, 19]
    states = list(variant.replay().states(arrays["refresh_iteration"].tolist()))
    exact = largest_in_magnitude(hessian_at(problem, states[-1]), 2)
    np.testing.assert_allclose(arrays["eigenvalues"][-1], exact, atol=1e-4 * np.abs(exact).max())
    split = problem.data.train.first(16)
    losses = [problem.evaluate(state.theta, split)[0] for state in states]
    assert arrays["refresh_loss"].tolist() == losses
    assert len(set(losses)) == 4
    assert arrays["converged"].all()


def test_steps_are_those_along_and_across_the_top_direction(variant):
    """The first updates recomputed in float64, with eigenvectors of dense Hessians."""
    name = variant.settings.run.rpartition("/")[2]
    problem = variant.problem()
    states = list(variant.replay().states(range(10, 15)))
    top = None
    for before, after in pairwise(states):
        if before.iteration in (10, 13) and (top is None or name != "ctop"):
            values, vectors = np.linalg.eigh(hessian_at(problem, before))
            target = np.sort(np.argsort(-np.abs(values))[:2])  # largest in magnitude, then by sign
            top = vectors[:, target[-1]]
        batch = problem.data.stream.batch(before.iteration)
        change = -0.1 * problem.gradient(before.theta, batch).double().numpy()
        along = (change @ top) * top
        expected = {"top": along, "ctop": along, "notop": change - along, "x0.5": change - 0.5 * along}[name]
        step = (after.theta.double() - before.theta.double()).numpy()
        np.testing.assert_allclose(step, expected, rtol=0, atol=2e-3 * np.linalg.norm(change))
        assert np.linalg.norm(step - change) > 0.02 * np.linalg.norm(change)  # it differs from SGD's


def test_the_current_direction_is_stored_with_each_snapshot(variant):
    """For the constant variant that of the start; for the others that of the last refresh, at 13 and 19."""
    directions = snapshots(variant)["directions"][:, 0]
    assert not directions[0].any()  # the first update computes it
    np.testing.assert_allclose(np.linalg.norm(directions[1:], axis=1), 1, rtol=1e-5)
    same = np.array_equal(directions[1], directions[2])
    assert same == variant.settings.run.endswith("ctop")
