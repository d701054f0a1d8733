"""Whole runs on tiny data: files, snapshots, divergence, kills, and which work is resumed."""

import csv
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import (
    RESNET_BN,
    VGG,
    Run,
    Silent,
    branch_settings,
    contents,
    full_batch_settings,
    hessian_settings,
    lstm_settings,
    nsgd_settings,
    run_settings,
    train_telling,
    write_images,
)
from forked import start
from stored_work import damage, opened
from tiers import fast

from sharpest.data.randomness import derived_seed
from sharpest.results.file import open_stored
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.results.stored import Snapshots
from sharpest.results.work import WorkStore
from sharpest.training.run import HISTORY_COLUMNS, SAVE_INTERVAL
from sharpest.trajectory.eigenpairs import direction_solver
from sharpest.trajectory.epoch import EpochLog, advance
from sharpest.trajectory.state import initial_state

ADAM = {"optimizer": "adam", "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "lr": 0.003}
KINDS = {
    "sgd": run_settings(),
    "momentum": run_settings(momentum=0.5),
    "nsgd": run_settings(momentum=0.5, nudge=nsgd_settings()),
    "plateau": run_settings(
        lr=0.3,
        momentum=0.5,
        rule="plat",
        patience=1,
        stop_patience=6,
        epochs=40,
        snapshot_every=3,
        batch_size=16,
        seed=779,
    ),
    "lstm": lstm_settings(momentum=0.5),
    "resnet-bn": run_settings(model=RESNET_BN, snapshot_every=3),
    "vgg": run_settings(model=VGG, momentum=0.5, batch_size=16),
    "nsgd-vgg": run_settings(model=VGG, nudge=nsgd_settings(refresh_every=2, keep_vectors=True, loss_examples=9)),
    "full-batch": full_batch_settings(),
    "nesterov": full_batch_settings(momentum=0.5, nesterov=True, loss="squared", l2=0.01),
    "nesterov-nsgd": run_settings(momentum=0.5, nesterov=True, loss="squared", nudge=nsgd_settings()),
    "squared-lstm": lstm_settings(loss="squared", epochs=2),
    "full-batch-branch": branch_settings(full_batch_settings(loss="squared"), 2, lr_factor=0.1),
    "branch": branch_settings(run_settings(model=VGG, momentum=0.5), 2, lr_factor=0.1),
    "constant-top": branch_settings(run_settings(momentum=0.5), 2, "ctop"),
    "two-left-out": branch_settings(run_settings(momentum=0.5), 2, "notopK2"),
    "halved-batch": branch_settings(run_settings(momentum=0.5), 2, "S0.5"),
    "added-momentum": branch_settings(run_settings(), 2, "m0.9"),
    "larger-rate": branch_settings(run_settings(**ADAM), 2, "lr1.5"),
    "adam": run_settings(**ADAM),
    "adamw": run_settings(**ADAM | {"optimizer": "adamw", "weight_decay": 0.1}, model=VGG),
    "rmsprop": full_batch_settings(**ADAM | {"optimizer": "rmsprop", "beta1": 0.0}, loss="squared"),
}
CHEAP_NSGD = nsgd_settings(num_directions=1, num_eigenpairs=2, hessian=hessian_settings(examples=8, tolerance=0.1))
# steps along the L2 term that overshoot more and more
DIVERGING = run_settings(lr=2.0, momentum=0.95, l2=0.5, epochs=30, snapshot_every=4, batch_size=20)


@pytest.fixture(scope="module", params=fast(KINDS, "nsgd", "lstm", "resnet-bn", "full-batch", "adamw"))
def run(request, tmp_path_factory) -> Run:
    return Run(tmp_path_factory.mktemp(request.param), KINDS[request.param]).train()


def read_history(run: Run) -> list[dict[str, float]]:
    with open(run.history, newline="") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames or ()) == HISTORY_COLUMNS
        return [{name: float(value) for name, value in row.items()} for row in reader]


def test_the_same_run_twice_is_the_same_bit_for_bit(run, tmp_path):
    assert contents(Run(tmp_path, run.settings).train()) == contents(run)


def test_nothing_is_left_in_the_work_folder(run):
    assert {path.name for path in run.work.iterdir()} <= {"lock"}


def test_history_has_a_row_for_each_epoch(run):
    rows = read_history(run)
    spe, branch = run.settings.steps_per_epoch, run.settings.branch
    start = branch.epoch if branch else 0
    assert [row["iteration"] for row in rows] == [spe * (start + epoch + 1) for epoch in range(len(rows))]
    assert [row["epoch"] for row in rows] == [start + epoch + 1 for epoch in range(len(rows))]
    assert rows[0]["lr"] == pytest.approx(run.settings.lr * (branch.lr_factor if branch else 1), rel=1e-12)
    assert len(rows) == run.settings.epochs - start or run.settings.rule == "plat"


def test_history_agrees_with_the_snapshots(run):
    """Validation at the end of an epoch is that of the next epoch's start snapshot, with its running averages."""
    problem, rows = run.problem(), {row["iteration"]: row for row in read_history(run)}
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        for row, iteration in enumerate(file["iteration"][1:], start=1):
            theta, buffers = (torch.from_numpy(file.row(name, row)) for name in ("theta", "buffers"))
            loss, accuracy = problem.at(buffers).evaluate(theta, problem.data.val)
            assert (rows[iteration]["val_loss"], rows[iteration]["val_accuracy"]) == (loss, accuracy)


def test_snapshots_are_taken_at_the_starts_of_epochs(run):
    settings, rows = run.settings, read_history(run)
    accuracies = [row["val_accuracy"] for row in rows]
    best = rows[int(np.argmax(accuracies))]["iteration"]  # the first on ties
    last = rows[-1]["iteration"]
    interval = settings.snapshot_every * settings.steps_per_epoch
    grid = [iteration for iteration in range(0, int(last) + 1, interval) if iteration >= settings.start]
    target = sorted({settings.start, *grid, int(best), int(last)})
    model = run.problem().model
    p, b = model.num_parameters, len(model.buffers)
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        assert file["iteration"].tolist() == target
        assert file["iteration"][file.attributes["best"]] == best
        assert file["iteration"][file.attributes["last"]] == last
        np.testing.assert_array_equal(file["epoch"], file["iteration"] / settings.steps_per_epoch)
        assert file.shape("theta") == (len(target), p)
        assert file.shape("buffers") == (len(target), b)
        assert file.shape("velocity") == (len(target), p if settings.has_velocity else 0)
        assert file.shape("second_moment") == (len(target), p if settings.is_adaptive else 0)
        assert file.shape("solver_start") == (len(target), p if settings.nudge else 0)
        assert file.attributes["run"] == settings.run
        assert file.attributes["diverged"] == -1
        assert file.attributes["config"] == settings.model_dump(mode="json")
        for name, layout in (("parameters", model.layout), ("buffer_names", model.buffer_layout)):
            assert file.attributes[name] == [[name, list(shape)] for name, shape in layout]
        if settings.branch is None:
            np.testing.assert_array_equal(file.row("theta", 0), model.initial().numpy())
            np.testing.assert_array_equal(file.row("buffers", 0), model.buffers.numpy())


def test_the_tiny_runs_cover_the_tested_cases(tmp_path_factory):
    """With the plateau rule: cuts, an early stop, and a best snapshot off the grid that is not the last."""
    run = Run(tmp_path_factory.mktemp("plateau"), KINDS["plateau"]).train()
    rows = read_history(run)
    assert rows[-1]["lr"] < 0.02 * rows[0]["lr"]
    assert len(rows) < run.settings.epochs
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        assert file.attributes["stopped"] == 1
        best = int(file["iteration"][file.attributes["best"]])
        assert best % (3 * run.settings.steps_per_epoch)
        assert best < file["iteration"][-1]
        # the snapshot holds the rate of the next update, the history that of the epoch
        after = {row["iteration"]: row["lr"] for row in rows}
        for iteration, lr in zip(file["iteration"][1:-1], file["lr"][1:-1], strict=True):
            assert lr == after[iteration + run.settings.steps_per_epoch]


def test_nsgd_keeps_the_eigenpairs_it_computed(tmp_path):
    run = Run(tmp_path, KINDS["nsgd"]).train()
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        assert file["refresh_iteration"].tolist() == [0, 5, 10, 15]
        assert file.shape("eigenvalues") == file.shape("residuals") == file.shape("converged") == (4, 4)
        assert np.all(np.diff(file["eigenvalues"], axis=1) <= 0)
        assert file["converged"].all()
        assert (file["hvps"] >= 4).all()


def test_vectors_are_kept_where_the_run_says_so(tmp_path):
    """All computed ones, as unit rows, with the loss at that iteration."""
    run = Run(tmp_path, KINDS["nsgd-vgg"]).train()
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        assert file["refresh_iteration"].tolist() == list(range(0, 20, 2))
        assert file.shape("eigenvectors") == (10, 4, run.problem().model.num_parameters)
        np.testing.assert_allclose(np.linalg.norm(file["eigenvectors"], axis=2), 1, rtol=1e-5)
        assert np.isfinite(file["refresh_loss"]).all()
        assert file.shape("directions") == (5, 2, run.problem().model.num_parameters)


@pytest.mark.parametrize("kind", ["nsgd", "sgd"])
def test_without_stored_vectors_the_arrays_are_empty(tmp_path, kind):
    run = Run(tmp_path, KINDS[kind]).train()
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        assert file.shape("eigenvectors") == (0, 0, 0)
        assert file.shape("directions")[1] == 0
        assert np.isnan(file["refresh_loss"]).all()
        assert file.attributes["clipped"] == 0


def test_the_number_of_clipped_gradients_is_stored(tmp_path):
    """Some are clipped; a bound that no gradient reaches clips none, and trains as without a bound."""
    settings = run_settings(lr=0.05)
    free = Run(tmp_path / "free", settings).train()
    counts, bits = {}, {}
    for limit in (0.01, 0.6, 1e6):
        run = Run(tmp_path / str(limit), settings.model_copy(update={"clip_norm": limit})).train()
        with open_stored(run.snapshots, SNAPSHOTS) as file:
            counts[limit], bits[limit] = file.attributes["clipped"], file["theta"].tobytes()
    with open_stored(free.snapshots, SNAPSHOTS) as file:
        assert bits[1e6] == file["theta"].tobytes()
    assert counts[0.01] == 20
    assert 0 < counts[0.6] < 20
    assert counts[1e6] == 0


@pytest.mark.parametrize("changes", [{}, {"nudge": nsgd_settings()}, {"momentum": 0.9}, {"model": VGG, "l2": 0.1}])
def test_a_run_that_diverges_is_a_result(tmp_path, changes):
    settings = run_settings(lr=1e30, epochs=4, **changes)
    run = Run(tmp_path, settings).train()
    rows = read_history(run)
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        diverged, last = file.attributes["diverged"], file.attributes["last"]
        assert 1 <= diverged <= 5
        assert (file["iteration"].tolist(), file.attributes["best"], last) == ([0], 0, 0)
        assert np.isfinite(file["theta"]).all()
    # the loss of that update is the first non-finite one
    problem = run.problem()
    assert len(rows) == 1
    assert not np.isfinite(rows[0]["val_loss"])
    log = EpochLog()
    advance(problem, initial_state(settings, problem.model), 5, log, direction_solver(problem))
    finite = [bool(torch.isfinite(loss)) for loss in log.losses]
    assert finite.index(False) == diverged if False in finite else diverged == 5


def test_a_divergence_later_on_keeps_the_states_before(tmp_path):
    """The last state is the start of the epoch that diverged, which is off the grid of snapshots here."""
    run, spe = Run(tmp_path, DIVERGING).train(), DIVERGING.steps_per_epoch
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        diverged, last = file.attributes["diverged"], int(file["iteration"][-1])
        assert last <= diverged <= last + spe
        assert last % (4 * spe)
        assert np.isfinite(file["theta"]).all()
    rows = read_history(run)
    assert rows[-1]["iteration"] == last + spe
    assert all(np.isfinite(row["val_loss"]) for row in rows[:-1])


# --- the loss of each update of a full batch


@pytest.mark.parametrize(
    "settings",
    [
        KINDS["full-batch"],
        KINDS["nesterov"],
        full_batch_settings(model=VGG, snapshot_every=3),
        full_batch_settings(model=RESNET_BN, nudge=nsgd_settings()),
    ],
    ids=["plain", "squared with l2", "dropout", "nsgd"],
)
def test_a_full_batch_run_keeps_the_loss_of_each_update(settings, tmp_path):
    """For the net in training mode on the whole batch, with L2, from before the first update to after the last."""
    run = Run(tmp_path, settings).train()
    problem = run.problem()
    losses = Snapshots(run.snapshots).update_loss
    assert losses.shape == (settings.num_iterations + 1,)
    of_name = {"cross_entropy": torch.nn.functional.cross_entropy, "squared": half_squared_distance}
    for state in run.replay().states(range(settings.num_iterations + 1)):
        batch = problem.data.stream.batch(state.iteration)
        assert len(batch) == len(problem.data.train)
        seed = derived_seed(settings.seed, "dropout", state.iteration)
        logits = problem.model.training_logits(state.theta, state.buffers.clone(), batch.inputs, seed)
        expected = of_name[settings.loss](logits, batch.targets) + problem.model.penalty(state.theta)
        assert losses[state.iteration] == pytest.approx(float(expected), rel=1e-6)


def half_squared_distance(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return 0.5 * (logits - torch.eye(logits.shape[1])[targets]).pow(2).sum(1).mean()


def test_the_mean_of_an_epoch_is_that_of_its_losses(tmp_path):
    run = Run(tmp_path, KINDS["nesterov"]).train()
    losses = Snapshots(run.snapshots).update_loss[:-1].reshape(-1, run.settings.steps_per_epoch)
    assert [row["train_loss"] for row in read_history(run)] == pytest.approx(losses.mean(axis=1).tolist(), rel=1e-6)


def test_other_runs_keep_no_losses_of_updates(tmp_path):
    assert Snapshots(Run(tmp_path).train().snapshots).update_loss.shape == (0,)


def test_the_losses_of_a_branch_begin_at_its_branch_point(tmp_path):
    """A branch that changes nothing has those of its trunk, bit for bit."""
    branch = Run(tmp_path, branch_settings(full_batch_settings(loss="squared"), 2)).train()
    ours, theirs = (Snapshots(run.snapshots).update_loss for run in (branch, branch.trunk))
    assert len(theirs) == 13
    np.testing.assert_array_equal(ours, theirs[6:])


def test_the_losses_of_a_run_that_diverges_end_there(tmp_path):
    """With the first non-finite loss; the run has no state after it."""
    run = Run(tmp_path, full_batch_settings(lr=1e30)).train()
    snapshots = Snapshots(run.snapshots)
    assert snapshots.update_loss.shape == (snapshots.diverged + 1,)
    assert np.isfinite(snapshots.update_loss[:-1]).all()
    assert not np.isfinite(snapshots.update_loss[-1])


# --- kills ---------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """A kill as seen from inside the process: nothing catches it."""


class FileKiller:
    """Ends a process, as far as files show, before the n-th change to a folder."""

    def __init__(self) -> None:
        self.folder = ""
        self.left = -1
        self.dead = False
        sys.addaudithook(self._hook)

    def arm(self, folder: Path, left: int) -> None:
        self.folder, self.left, self.dead = str(folder), left, False

    def disarm(self) -> None:
        self.folder = ""

    def _hook(self, event: str, arguments: tuple) -> None:
        if not self.folder or event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            return
        path = str(arguments[0])
        # a real kill frees the lock; a file that is only read does not change
        if (
            not path.startswith(self.folder)
            or path.endswith("lock")
            or (event == "open" and arguments[1] in ("r", "rb"))
        ):
            return
        self.step()

    def step(self) -> None:
        """A change; the first one that is due, and all that follow, kill."""
        self.left -= 1
        self.dead = self.dead or self.left < 0
        if self.dead and self.folder:
            raise Killed


KILLER = FileKiller()  # an audit hook cannot be removed


KILLED = {
    "momentum": run_settings(momentum=0.5, epochs=4, snapshot_every=3, batch_size=16),
    "nsgd": run_settings(epochs=2, nudge=CHEAP_NSGD, batch_size=20),
    "stops": run_settings(lr=0.05, rule="plat", patience=1, stop_patience=1, epochs=6, snapshot_every=4, batch_size=20),
    "diverges": DIVERGING,
    "full batch": full_batch_settings(momentum=0.5, nesterov=True, loss="squared", epochs=3, snapshot_every=2),
    "lstm": lstm_settings(epochs=2, clip_norm=0.1),
    "vgg": run_settings(model=VGG, epochs=3, batch_size=16, snapshot_every=2),
    "kept vectors": run_settings(
        model=RESNET_BN, epochs=2, batch_size=20,
        nudge=CHEAP_NSGD.model_copy(update={"refresh_every": 3, "keep_vectors": True}),
    ),
    "constant top": branch_settings(
        run_settings(batch_size=20, epochs=3), 1, "ctop", nudge={"hessian": CHEAP_NSGD.hessian}
    ),
}  # fmt: skip
SAVED_EACH_UPDATE = ("nsgd", "diverges", "full batch", "kept vectors")


@pytest.mark.parametrize(
    ("kind", "save_interval", "every"),
    [
        ("stops", SAVE_INTERVAL, 5),
        *(pytest.param(kind, SAVE_INTERVAL, 1, marks=pytest.mark.slow) for kind in KILLED),
        *(pytest.param(kind, 0.0, 1, marks=pytest.mark.slow) for kind in SAVED_EACH_UPDATE),
    ],
)
def test_a_kill_before_any_change_of_a_file_changes_nothing(tmp_path, monkeypatch, kind, save_interval, every):
    """Retrained after the kill, and killed again two changes later, the files equal those of the undisturbed run.

    The slow cases kill before every change, the fast one before every fifth.
    """
    settings = KILLED[kind]
    undisturbed = contents(Run(tmp_path / "undisturbed", settings).train())
    monkeypatch.setattr("sharpest.training.run.SAVE_INTERVAL", save_interval)
    put = WorkStore.put  # SQLite's own changes of files are not seen by the hook
    monkeypatch.setattr(WorkStore, "put", lambda *arguments: (KILLER.step(), put(*arguments)))
    killed = 0
    while True:
        run = Run(tmp_path / str(killed), settings).prepare()
        try:
            for left in (killed, 2):
                KILLER.arm(run.paths.folder, left)
                try:
                    run.train()
                except Killed:
                    continue
                finally:
                    KILLER.disarm()
                break
        finally:
            KILLER.disarm()
        survived = left == killed and not KILLER.dead
        if not survived:
            run.train()
        assert contents(run) == undisturbed, f"killed before change {killed}"
        assert {path.name for path in run.work.iterdir()} <= {"lock"}
        if survived:
            break
        killed += every
    assert killed > 10


class Dying(Silent):
    """Ends the process after a number of iterations."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def update(self, done: int, note: str = "") -> None:
        super().update(done, note)
        if done >= self.limit:
            raise Killed


@pytest.mark.parametrize(
    "kind",
    fast(
        [
            "sgd", "momentum", "nesterov", "nsgd", "lstm", "vgg", "nsgd-vgg", "resnet-bn", "constant-top",
            "two-left-out", "halved-batch", "added-momentum", "larger-rate", "adam", "adamw", "rmsprop",
        ],
        "nsgd-vgg", "lstm", "adamw",
    ),
)  # fmt: skip
def test_training_goes_on_from_within_an_epoch(tmp_path, monkeypatch, kind):
    """Saved after each update here: nothing is repeated, and the bits are the same."""
    undisturbed = contents(Run(tmp_path / "undisturbed", KINDS[kind]).train())
    monkeypatch.setattr("sharpest.training.run.SAVE_INTERVAL", 0.0)
    run = Run(tmp_path / "killed", KINDS[kind]).prepare()
    start, spe = run.settings.start, run.settings.steps_per_epoch
    for limit in (start + spe - 1, start + 2 * spe - 1):
        with pytest.raises(Killed):
            run.train(Dying(limit))
    progress = Silent()
    run.train(progress)
    assert progress.done[:2] == [start + spe, start + 2 * spe]  # the start of the epoch, and its last update
    assert contents(run) == undisturbed


def test_vectors_are_not_saved_where_they_are_not_kept(tmp_path):
    run = Run(tmp_path, run_settings(nudge=CHEAP_NSGD.model_copy(update={"refresh_every": 3})))
    with pytest.raises(Killed):
        run.train(Dying(10))
    refreshes = list(opened(run.work).records("refreshes"))
    assert len(refreshes) > 2
    assert [record.arrays for record in refreshes] == [{}] * len(refreshes)


def test_an_epoch_is_saved_by_the_clock(tmp_path, monkeypatch):
    """Every second update of an epoch here ends after a save is due."""
    seconds = iter(np.arange(0, 1e4, 0.5))
    monkeypatch.setattr("sharpest.training.run.SAVE_INTERVAL", 0.9)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(seconds)))
    progress = Silent()
    run = Run(tmp_path / "saved").train(progress)
    assert progress.done == [0, 2, 4, 5, 7, 9, 10, 12, 14, 15, 17, 19, 20]
    last = read_history(run)[-1]
    note = f"loss {last['train_loss']:.3g}, validation {100 * last['val_accuracy']:.1f} %"
    assert progress.lines[-1] == (20, note)
    assert contents(run) == contents(Run(tmp_path / "undisturbed").train())


@pytest.mark.parametrize(
    ("kind", "number", "goes_on_at"),
    [
        ("states", 15, 10),
        ("states", 5, 0),
        ("states", 0, 0),
        ("history", 10, 5),
        ("refreshes", 9, 5),
        ("midway", 0, 15),
        ("whole", 0, 0),
    ],
)
def test_work_damaged_by_a_power_loss_is_retrained(tmp_path, monkeypatch, kind, number, goes_on_at):
    """From the last state before the damage on."""
    settings = run_settings(nudge=CHEAP_NSGD.model_copy(update={"refresh_every": 3, "keep_vectors": True}))
    undisturbed = contents(Run(tmp_path / "undisturbed", settings).train())
    monkeypatch.setattr("sharpest.training.run.SAVE_INTERVAL", 0.0)
    run = Run(tmp_path / "damaged", settings)
    with pytest.raises(Killed):
        run.train(Dying(17))
    if kind == "whole":
        next(run.work.glob("*.sqlite")).write_bytes(b"a text" * 100)
    else:
        damage(run.work, kind, number)
    progress = Silent()
    run.train(progress)
    assert progress.done[0] == goes_on_at
    assert contents(run) == undisturbed


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def epochs_told(told: Path) -> list[tuple[int, int]]:
    """(process, iterations done) of each line."""
    lines = told.read_text().splitlines() if told.exists() else []
    return [(int(process), int(done)) for process, done in map(str.split, lines)]


@pytest.mark.parametrize(
    "kind",
    fast(["momentum", "nsgd", "plateau", "lstm", "constant-top"], "momentum"),
)
def test_a_run_killed_at_random_moments_is_the_same_bit_for_bit(kind, tmp_path):
    """Real processes and SIGKILL; each process has time for an epoch and a bit more."""
    settings = KINDS[kind].model_copy(update={"epochs": 12})
    undisturbed = contents(Run(tmp_path / "undisturbed", settings).train())
    run, told, moments = Run(tmp_path / "killed", settings), tmp_path / "told", random.Random(kind)
    run.prepare()
    exits = []
    for _ in range(3):
        before = len(epochs_told(told))
        process = start(train_telling, run, told, 0.02)
        wait_for(lambda before=before: len(epochs_told(told)) > before + 1)
        time.sleep(moments.uniform(0.0, 0.06))
        process.kill()
        process.join()
        exits.append(process.exitcode)
    assert exits.count(-signal.SIGKILL) >= 2
    progress = Silent()
    run.train(progress)
    assert contents(run) == undisturbed
    lines = epochs_told(told)
    starts = [done for (process, done), (last, _) in zip(lines[1:], lines, strict=False) if process != last]
    assert starts == sorted(starts)
    assert starts[0] > 0  # resumed where the first was killed


def test_a_second_trainer_waits_and_trains_nothing_twice(tmp_path):
    run, told = Run(tmp_path), tmp_path / "told"
    run.problem()
    both = [start(train_telling, run, told, 0.05) for _ in range(2)]
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    lines = epochs_told(told)
    assert len({process for process, _ in lines}) == 1
    assert [done for _, done in lines] == [0, 5, 10, 15, 20]
    assert contents(run) == contents(Run(tmp_path / "undisturbed").train())


def test_a_second_trainer_goes_on_where_the_first_was_killed(tmp_path):
    run, told = Run(tmp_path), tmp_path / "told"
    run.problem()
    first = start(train_telling, run, told, 0.2)
    wait_for(lambda: len(epochs_told(told)) == 2)
    second = start(train_telling, run, told, 0.0)
    wait_for(lambda: len(epochs_told(told)) == 3)
    assert {process for process, _ in epochs_told(told)} == {first.pid}  # the second waits
    first.kill()
    second.join(60)
    assert second.exitcode == 0
    done = [done for process, done in epochs_told(told) if process == second.pid]
    assert done[0] >= 10
    assert done[-1] == 20
    assert contents(run) == contents(Run(tmp_path / "undisturbed").train())


# --- which work is resumed -----------------------------------------------------------------------------------------


class Stopping(Silent):
    """Ends the process after two epochs."""

    def update(self, done: int, note: str = "") -> None:
        super().update(done, note)
        if done == 10:
            raise Killed


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": run_settings(lr=0.2)},
        {"settings": run_settings(seed=778)},
        {"settings": run_settings(epochs=5)},
        {"code": "other code"},
        {"data": "other data"},
        {},
    ],
    ids=["lr", "seed", "epochs", "code", "data", "nothing"],
)
def test_stale_work_is_not_resumed(tmp_path, changed):
    """Work of other settings, other code or other data in the same folder; only identical work is resumed."""
    run = Run(tmp_path / "run")
    with pytest.raises(Killed):
        run.train(Stopping())
    assert len(list(opened(run.work).records("states"))) == 3
    undisturbed = Run(tmp_path / "undisturbed", changed.get("settings", run.settings), changed.get("code", "code"))
    run.settings, run.code = undisturbed.settings, undisturbed.code
    if "data" in changed:
        for folder in (run, undisturbed):
            write_images(folder.data, name="other")
    progress = Silent()
    run.train(progress)
    assert progress.done[0] == (0 if changed else 10)
    assert contents(run) == contents(undisturbed.train())


def test_other_settings_replace_finished_files(tmp_path):
    """Files of another run, or of other code, are not mistaken for this run's."""
    Run(tmp_path / "run").train()
    for settings, code in ((run_settings(lr=0.2), "code"), (run_settings(lr=0.2), "other code")):
        again, progress = Run(tmp_path / "run", settings, code), Silent()
        again.train(progress)
        assert progress.done == [0, 5, 10, 15, 20]
        assert contents(again) == contents(Run(tmp_path / code, settings, code).train())
