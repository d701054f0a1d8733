"""Replayed states, bit for bit equal to uninterrupted training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import (
    RESNET_BN,
    VGG,
    Run,
    branch_settings,
    dataset_settings,
    full_batch_settings,
    lstm_settings,
    nsgd_settings,
    run_settings,
)
from sealed import changed
from tiers import fast

from sharpest.results.file import open_stored
from sharpest.results.snapshots import SNAPSHOTS, STATE
from sharpest.results.stored import Snapshots
from sharpest.trajectory.eigenpairs import direction_solver
from sharpest.trajectory.epoch import EpochLog, advance, end_epoch
from sharpest.trajectory.replay import Replay
from sharpest.trajectory.state import TrainingState, branch_state, initial_state

NSGD = nsgd_settings(num_directions=1, num_eigenpairs=2)
KINDS = {
    "sgd": run_settings(),
    "augmented": run_settings(dataset=dataset_settings(flip=True, shift=0.125), batch_size=7, snapshot_every=2),
    "momentum": run_settings(momentum=0.5, snapshot_every=2),
    "nesterov": full_batch_settings(momentum=0.5, nesterov=True, loss="squared", snapshot_every=2),
    "nesterov-nsgd": run_settings(momentum=0.5, nesterov=True, loss="squared", nudge=NSGD, snapshot_every=2),
    "nsgd": run_settings(momentum=0.5, nudge=NSGD, snapshot_every=3, epochs=5),
    "plateau": run_settings(
        lr=0.3, momentum=0.5, rule="plat", patience=1, stop_patience=6, epochs=40, snapshot_every=3, batch_size=16,
        seed=779,
    ),
    "lstm": lstm_settings(epochs=2, clip_norm=0.3, snapshot_every=2),
    "resnet-bn": run_settings(model=RESNET_BN, snapshot_every=2),
    "vgg": run_settings(model=VGG, momentum=0.5, snapshot_every=4),
    "full-batch": full_batch_settings(snapshot_every=2),
    # directions that outlast epochs, with and without a snapshot
    "refreshed": run_settings(nudge=NSGD.model_copy(update={"refresh_every": 3}), snapshot_every=2),
    "kept": run_settings(model=VGG, nudge=NSGD.model_copy(update={"refresh_every": 3, "keep_vectors": True})),
    "branch": branch_settings(run_settings(model=VGG, momentum=0.5), 1, lr_factor=0.1, snapshot_every=3),
    "constant-top": branch_settings(run_settings(), 1, "ctop", snapshot_every=3),
    "no-top": branch_settings(run_settings(), 2, "notop", nudge={"refresh_every": 3}),
}  # fmt: skip


@pytest.fixture(scope="module", params=fast(KINDS, "augmented", "lstm", "nesterov-nsgd", "kept", "branch"))
def run(request, tmp_path_factory) -> Run:
    return Run(tmp_path_factory.mktemp(request.param), KINDS[request.param]).train()


@pytest.fixture(scope="module")
def momentum(tmp_path_factory) -> Run:
    """Snapshots at 0, 10 and 20."""
    return Run(tmp_path_factory.mktemp("momentum"), KINDS["momentum"]).train()


def start_of(run: Run) -> TrainingState:
    """The state before the first update: the initial state, or the trunk's at the branch point."""
    if run.settings.branch is None:
        return initial_state(run.settings, run.problem().model)
    with open_stored(run.trunk.snapshots, SNAPSHOTS) as file:
        row = file["iteration"].tolist().index(run.settings.start)
        arrays = {dataset.name: file.row(dataset.name, row) for dataset in STATE}
    return branch_state(run.settings, arrays, torch.device("cpu"))


@pytest.fixture(scope="module")
def direct(run) -> dict[int, TrainingState]:
    """The state after every update, trained from the start without interruption."""
    problem = run.problem()
    solver, spe = direction_solver(problem), run.settings.steps_per_epoch
    state = start_of(run)
    states = {state.iteration: state}
    while not state.stopped and state.iteration < run.settings.num_iterations:
        log = EpochLog()
        for iteration in range(state.iteration + 1, state.iteration + spe + 1):
            state = advance(problem, state, iteration, log, solver)
            states[iteration] = state
        state, _ = end_epoch(problem, state, log)
        states[state.iteration] = state
    return states


def equal(one: TrainingState, other: TrainingState) -> bool:
    tensors = ["theta", "buffers", "velocity", "solver_start"]
    if (one.directions is None) != (other.directions is None):
        return False
    if one.directions is not None:
        tensors.append("directions")
    return (one.iteration, one.lr) == (other.iteration, other.lr) and all(
        torch.equal(getattr(one, name), getattr(other, name)) for name in tensors
    )


def test_every_iteration_is_that_of_direct_training(run, direct):
    replay = run.replay()
    assert (replay.start, replay.end) == (min(direct), max(direct))
    states = list(replay.states(range(replay.end + 1)))  # those before a branch point are left out
    assert [state.iteration for state in states] == sorted(direct)
    assert all(equal(state, direct[state.iteration]) for state in states)
    assert replay.drift == 0


def test_one_iteration_alone_is_that_of_direct_training(run, direct):
    """The rate and the counters of the plateau rule are also replayed, over epochs without a snapshot."""
    problem, snapshots = run.problem(), Snapshots(run.snapshots)
    for iteration in sorted(direct)[:: 1 if run.settings.nudge is None else 4]:
        (state,) = Replay(problem, snapshots).states([iteration])
        assert equal(state, direct[iteration])
        if run.settings.rule == "plat":
            assert state.rule == direct[iteration].rule


def test_each_started_interval_is_compared_with_its_end(run):
    """One point in every interval between two snapshots: as many comparisons as intervals, all exact."""
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        iterations = file["iteration"]
    replay = run.replay()
    list(replay.states((iterations[:-1] + 1).tolist()))
    assert replay.checked == len(iterations) - 1
    assert replay.drift == 0


def test_points_on_snapshots_are_read_and_not_compared(momentum):
    with open_stored(momentum.snapshots, SNAPSHOTS) as file:
        replay, iterations = momentum.replay(), file["iteration"].tolist()
        for row, state in enumerate(replay.states(iterations)):
            np.testing.assert_array_equal(state.theta, file.row("theta", row))
        assert replay.checked == 0
        assert equal(replay.snapshot(1), next(iter(replay.states(iterations[1:]))))


def test_a_replay_with_stored_vectors_solves_nothing(tmp_path, monkeypatch):
    run = Run(tmp_path, KINDS["kept"]).train()
    monkeypatch.setattr("sharpest.trajectory.eigenpairs.largest_eigenpairs", must_not_solve)
    replay = run.replay()
    states = list(replay.states([1, 4, 7, 13, 19]))
    assert [state.iteration for state in states] == [1, 4, 7, 13, 19]
    assert (replay.checked, replay.drift) == (4, 0)


@pytest.mark.parametrize("kind", ["kept", "refreshed"])
def test_recorded_eigenpairs_are_those_of_the_file(tmp_path, kind):
    """With vectors if the run has stored them; at iterations without a refresh there are none."""
    run = Run(tmp_path, KINDS[kind]).train()
    replay = run.replay()
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        assert [replay.has_recorded(at, with_vectors=False) for at in (0, 4, 6, 18, 19, 21)] == [1, 0, 1, 1, 0, 0]
        assert replay.has_recorded(6, with_vectors=True) == (kind == "kept")
        assert not replay.has_recorded(4, with_vectors=True)
        pairs = replay.recorded_eigenpairs(6, with_vectors=kind == "kept")
        row = file["refresh_iteration"].tolist().index(6)
        for name in ("eigenvalues", "residuals", "converged"):
            np.testing.assert_array_equal(getattr(pairs, name), file.row(name, row))
        assert (pairs.num_products, pairs.seconds) == (file["hvps"][row], file["seconds"][row])
        if kind == "kept":
            np.testing.assert_array_equal(pairs.eigenvectors, file.row("eigenvectors", row))
        else:
            assert pairs.eigenvectors.shape == (0, 365)


def must_not_solve(*_: object) -> None:
    raise AssertionError("solved anew")


def test_a_point_may_be_requested_twice(momentum):
    one, same = momentum.replay().states([3, 3])
    assert equal(one, same)


def test_a_walk_may_advance_stay_and_go_back(momentum):
    """Each state equals that of a separate walk, whatever the walk did before."""
    replay = momentum.replay()
    walk = replay.walk()
    for iteration in (3, 3, 7, 12, 10, 2, 20, 0):
        assert equal(walk.to(iteration), momentum.replay().walk().to(iteration))
        assert walk.to(iteration).iteration == iteration


def test_a_walk_is_compared_where_it_leaves_an_interval_and_where_it_ends(momentum):
    replay = momentum.replay()
    walk = replay.walk()
    counts = []
    for iteration in (3, 7, 12, 17):
        walk.to(iteration)
        counts.append(replay.checked)
    walk.finish()
    assert [*counts, replay.checked] == [0, 0, 1, 1, 2]
    other = replay.walk()
    other.finish()  # it has started none
    assert replay.checked == 2


def test_points_after_the_end_are_left_out(momentum):
    replay = momentum.replay()
    assert replay.end == 20
    assert [state.iteration for state in replay.states([1, 12, 20, 21, 1000])] == [1, 12, 20]


def tampered(run: Run, path: Path, name: str, row: int, change) -> Path:
    path.write_bytes(run.snapshots.read_bytes())
    with changed(path) as file:
        file[name][row] = change(file[name][row])
    return path


@pytest.mark.parametrize(
    ("name", "row", "change", "drift"),
    [
        ("theta", 2, lambda theta: theta + np.float32(0.25) * (np.arange(len(theta)) == 7), pytest.approx(0.25)),
        ("theta", 2, lambda theta: theta * np.float32("nan"), pytest.approx(float("nan"), nan_ok=True)),
        ("velocity", 0, lambda velocity: velocity + 1, None),
        ("lr", 0, lambda lr: lr * 2, None),
    ],
    ids=["end", "nan at the end", "velocity", "lr"],
)
def test_a_modified_snapshot_shows_as_drift(momentum, tmp_path, name, row, change, drift):
    """Whether it is in the first interval or the last; the other one is exact."""
    path = tampered(momentum, tmp_path / "snapshots.h5", name, row, change)
    snapshots = Snapshots(path)
    assert snapshots["iteration"].tolist() == [0, 10, 20]
    replay = Replay(momentum.problem(), snapshots)
    list(replay.states([3, 17]))
    assert replay.checked == 2
    assert replay.drift == drift if drift is not None else replay.drift > 1e-3


def test_when_a_run_diverged_counts_in_epochs(momentum, tmp_path):
    assert momentum.replay().diverged_epoch is None
    path = tampered(momentum, tmp_path / "snapshots.h5", "lr", 0, lambda lr: lr)
    for update, epoch in ((0, 0.0), (8, 1.6)):  # of five updates
        with changed(path) as file:
            file.attrs["diverged"] = update
        assert Replay(momentum.problem(), Snapshots(path)).diverged_epoch == epoch
