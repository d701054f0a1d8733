"""Train a whole run, survive kills, and write its snapshots and history."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from sharpest.config.run import RunSettings
from sharpest.errors import StoreError
from sharpest.results.file import StoredRows, StoredWriter, create_stored, open_stored
from sharpest.results.paths import Paths
from sharpest.results.record import check_identity, other_source, write_record
from sharpest.results.snapshots import SNAPSHOTS, state_at
from sharpest.results.whole import digest_of, written_whole
from sharpest.results.work import WorkStore, locked
from sharpest.trajectory.epoch import DirectionSolver, EpochLog, advance, end_epoch
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import PROGRESS, TrainingState, branch_state, initial_state

if TYPE_CHECKING:
    from sharpest.curvature.lanczos import Eigenpairs

SAVE_INTERVAL = 30.0
"""Seconds between saves within an epoch, so that a kill costs less than a minute even if epochs are long."""

_WANTED = ("config", "code", "packages", "device", "made_from")  # attributes by which a trained run is recognised

HISTORY_COLUMNS = ("iteration", "epoch", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy")


def train_run(
    problem: Problem,
    solver: DirectionSolver | None,
    paths: Paths,
    attributes: dict[str, Any],
    progress: Callable[[int, str], None],
) -> None:
    """Train a run to its end and write ``snapshots.h5``, ``history.csv`` and the record of the latter.

    A killed run resumes at its last epoch, or where it was less than a minute before the kill. A run that diverges ends
    there; this counts as a result. The files of a branch begin at the branch point.

    Args:
        problem: The run.
        solver: Computes the directions along which the step is scaled; None for SGD.
        paths: Paths of its scale: the outputs, written under a temporary name and renamed; the snapshots of a branch's
            parent; and the folder for the state of unfinished training, deleted at the end.
        attributes: Provenance and other attributes of the snapshots file.
        progress: Called with the number of completed iterations and a note.

    Raises:
        StoreError: If a file cannot be written (the state up to then is kept), or if the parent's snapshots belong to
            another run or have none at the branch point, e.g. because the parent diverged before.
    """
    # a second trainer waits here, and then finds the work or the files of the first
    with locked(paths.work(problem.settings.run)):
        start, made_from = _start(problem, paths, attributes["scale"])
        attributes = {**attributes, "made_from": made_from}
        work = WorkStore(paths.work(problem.settings.run), _identity(problem, start, attributes["code"]))
        if not _is_written(problem.settings.run, paths, attributes):
            state = _train(problem, solver, start, work, progress)
            _write(problem, work, state, paths, attributes)
        work.remove()


def _start(problem: Problem, paths: Paths, scale: str) -> tuple[TrainingState, dict[str, str]]:
    """The state before the first update, and the digests of the files it was made from."""
    settings, data = problem.settings, paths.data(problem.settings.dataset_name)
    made_from = {paths.place(data): problem.data.digest}
    if settings.branch is None:
        return initial_state(settings, problem.model), made_from
    parent = paths.snapshots(settings.branch.parent)
    with open_stored(parent, SNAPSHOTS) as file:
        check_identity(parent, file.attributes, {"run": settings.branch.parent, "scale": scale})
        if file.attributes["made_from"].get(paths.place(data)) != problem.data.digest:
            raise other_source(parent, data)
        rows = (file["iteration"] == settings.branch_point).nonzero()[0]
        if not len(rows):
            raise StoreError(
                f"{parent}: has no snapshot at iteration {settings.branch_point}, where {settings.run} branches off; "
                f"it ends at {file['iteration'][-1]}"
                + ("" if file.attributes["diverged"] < 0 else ", where it diverged")
            )
        arrays = state_at(file, int(rows[0]))
        made_from[paths.place(parent)] = file.digest
    return branch_state(settings, arrays, problem.data.train.inputs.device), made_from


def _identity(problem: Problem, start: TrainingState, code: str) -> str:
    """A hash of everything that the bits of a state depend on."""
    parts = {
        "start": hashlib.sha256(start.theta.cpu().numpy().tobytes()).hexdigest(),
        "settings": problem.settings.model_dump(mode="json"),
        "data": problem.data.digest,
        "code": code,
        "torch": torch.__version__,
        "device": str(problem.data.train.inputs.device),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _is_written(run: str, paths: Paths, attributes: dict[str, Any]) -> bool:
    """Whether another trainer has just written this run; files of earlier jobs are deleted before a job starts."""
    history = paths.history(run)
    if not (history.exists() and paths.made(history).exists()):
        return False
    try:
        with open_stored(paths.snapshots(run), SNAPSHOTS) as file:
            return all(file.attributes[name] == attributes[name] for name in _WANTED)
    except StoreError:
        return False


def _train(
    problem: Problem,
    solver: DirectionSolver | None,
    start: TrainingState,
    work: WorkStore,
    progress: Callable[[int, str], None],
) -> TrainingState:
    settings = problem.settings
    device = problem.data.train.inputs.device
    spe = settings.steps_per_epoch
    _drop_after_damage(work, range(settings.start + spe, settings.num_iterations + 1, spe))
    saved = work.numbers("states")
    if saved:
        state = TrainingState.from_arrays(_state(work, saved[-1]), settings, device)
        state = _ended(state, work, settings)
    else:
        state = start
        work.put("states", state.iteration, {}, state.arrays())
    _drop_unwanted(work, state, settings)  # left behind by a kill

    on_refresh = partial(_record_refresh, work, settings)
    progress(state.iteration, "")
    while state.iteration < settings.num_iterations and not state.stopped and state.diverged < 0:
        before, (state, log, seconds) = state, _midway(work, state, settings, device)
        end, began = before.iteration + spe, time.perf_counter() - seconds
        while state.iteration < end:
            deadline = time.monotonic() + SAVE_INTERVAL
            state = advance(problem, state, end, log, solver, on_refresh, deadline)
            if state.iteration < end:
                seconds = time.perf_counter() - began
                work.put("midway", 0, {"seconds": seconds}, {**state.arrays(), **log.arrays()})
                progress(state.iteration, "")
        state, row = end_epoch(problem, state, log)
        seconds = time.perf_counter() - began
        losses = log.arrays()["losses"].tolist() if settings.full_batch else []
        facts = {"stopped": state.stopped, "diverged": state.diverged, "seconds": seconds, "losses": losses}
        work.put("history", int(row["iteration"]), {**row, **facts}, {})
        if state.diverged >= 0:
            # the run ends with its last finite state
            return TrainingState(**{**vars(before), "diverged": state.diverged})
        work.put("states", state.iteration, {}, state.arrays())
        _drop_unwanted(work, state, settings)
        progress(state.iteration, f"loss {row['train_loss']:.3g}, validation {100 * row['val_accuracy']:.1f} %")
    return state


def _record_refresh(work: WorkStore, settings: RunSettings, iteration: int, pairs: Eigenpairs, loss: float) -> None:
    """Keep the eigenpairs computed for the directions of the step."""
    facts = {
        "iteration": iteration,
        "eigenvalues": pairs.eigenvalues.tolist(),
        "residuals": pairs.residuals.tolist(),
        "converged": pairs.converged.tolist(),
        "hvps": pairs.num_products,
        "seconds": pairs.seconds,
        "refresh_loss": loss,
    }
    keeps_vectors = settings.nudge is not None and settings.nudge.keep_vectors
    work.put("refreshes", iteration, facts, {"vectors": pairs.eigenvectors.cpu().numpy()} if keeps_vectors else {})


def _midway(
    work: WorkStore, start: TrainingState, settings: RunSettings, device: torch.device
) -> tuple[TrainingState, EpochLog, float]:
    """Where a kill left the epoch that begins at ``start``: the state, the log, and the seconds spent on the epoch."""
    record, end = work.get("midway", 0), start.iteration + settings.steps_per_epoch
    if record is None or not start.iteration < record.arrays["iteration"] < end:
        return start, EpochLog(), 0.0
    state = TrainingState.from_arrays(record.arrays, settings, device)
    return state, EpochLog.from_arrays(record.arrays, device), record.facts["seconds"]


def _state(work: WorkStore, iteration: int) -> dict[str, NDArray[Any]]:
    """A kept state."""
    record = work.get("states", iteration)
    if record is None:
        raise StoreError(f"{work.path}: is damaged; run snakemake again: training resumes from an earlier state")
    return record.arrays


def _rows(work: WorkStore, kind: str) -> list[dict[str, Any]]:
    """The facts of all records of a kind by iteration."""
    return [record.facts for record in work.records(kind)]


def _drop_after_damage(work: WorkStore, epoch_ends: Iterable[int]) -> None:
    """Drop all states after the first record that a power loss or a bad disk took: training computes them again.

    Args:
        work: Records of the run.
        epoch_ends: Iterations at which an epoch ends, each with a record in ``history`` if it was trained.
    """
    trained = set(work.numbers("history"))
    bad = [number + (kind == "refreshes") for kind, number in work.damaged if kind in ("states", "refreshes")]
    first = min(bad + [end for end in epoch_ends if end not in trained][:1], default=math.inf)
    work.drop("states", *(iteration for iteration in work.numbers("states") if iteration >= first))
    midway = work.get("midway", 0)
    if midway is not None and midway.arrays["iteration"] >= first:
        work.drop("midway", 0)


def _drop_unwanted(work: WorkStore, state: TrainingState, settings: RunSettings) -> None:
    """Drop all states but those of the snapshots: the start, every n-th epoch, the best, and the last."""
    interval = settings.snapshot_every * settings.steps_per_epoch
    kept = (settings.start, state.iteration, state.best_iteration)
    work.drop("states", *(each for each in work.numbers("states") if each % interval and each not in kept))


def _ended(state: TrainingState, work: WorkStore, settings: RunSettings) -> TrainingState:
    """A state from the work folder, marked as the journal says if the run stopped or diverged there."""
    for row in _rows(work, "history"):
        diverged = row["diverged"] >= 0 and row["iteration"] == state.iteration + settings.steps_per_epoch
        if diverged or (row["stopped"] and row["iteration"] == state.iteration):
            return TrainingState(**{**vars(state), "diverged": row["diverged"], "stopped": row["stopped"]})
    return state


def _write(
    problem: Problem,
    work: WorkStore,
    state: TrainingState,
    paths: Paths,
    attributes: dict[str, Any],
) -> None:
    settings, iterations = problem.settings, work.numbers("states")
    history, snapshots = paths.history(settings.run), paths.snapshots(settings.run)
    # the best snapshot of a run that ended within its first epoch is its start
    best = iterations.index(max(state.best_iteration, settings.start))
    outcome = {
        "run": settings.run,
        "best": best,
        "last": len(iterations) - 1,
        "diverged": state.diverged,
        "stopped": int(state.stopped),
        "clipped": state.clipped,
        "parameters": problem.model.layout,
        "buffer_names": problem.model.buffer_layout,
        "progress": PROGRESS,
    }
    rows = _rows(work, "history")
    _write_history(history, rows)
    with create_stored(snapshots, SNAPSHOTS) as file:
        _write_states(work, iterations, file)
        arrays = _write_refreshes(work, settings, len(state.theta), file)
        arrays["epoch"] = np.array(iterations) / settings.steps_per_epoch
        arrays["update_loss"] = _update_loss(problem, rows, state)
        arrays["epoch_seconds"] = np.array([row["seconds"] for row in rows])
        file.complete(arrays, {**attributes, **outcome})
    # last, because this record states that all files are complete and belong together
    write_record(paths, [history], {paths.place(snapshots): digest_of(snapshots)})


def _update_loss(problem: Problem, history: list[dict[str, Any]], state: TrainingState) -> NDArray[np.float64]:
    """(u,), the loss of a full-batch run at its start and after each update; up to divergence, if it diverged."""
    settings = problem.settings
    if not settings.full_batch:
        return np.empty(0)
    losses = [loss for row in history for loss in row["losses"]]
    if state.diverged < 0:
        return np.array([*losses, problem.training_loss(state.theta, state.buffers, state.iteration)])
    return np.array(losses[: state.diverged - settings.start + 1])


def _write_states(work: WorkStore, iterations: Sequence[int], file: StoredWriter) -> None:
    """Copy states one at a time, because at the paper's scale they take gigabytes."""
    states: dict[str, StoredRows] = {}
    for row, iteration in enumerate(iterations):
        for name, value in _state(work, iteration).items():
            if row == 0:
                states[name] = file.stream(name, (len(iterations), *value.shape))
            states[name][row] = value


def _write_refreshes(
    work: WorkStore, settings: RunSettings, num_parameters: int, file: StoredWriter
) -> dict[str, NDArray[Any]]:
    """Copy kept eigenvectors into the file one at a time; returns the other arrays of the refreshes."""
    keeps_vectors = settings.nudge is not None and settings.nudge.keep_vectors
    count, refreshes, vectors = len(work.numbers("refreshes")), list[dict[str, Any]](), None
    for row, record in enumerate(work.records("refreshes")):
        refreshes.append(record.facts)
        if keeps_vectors:
            vectors = vectors or file.stream("eigenvectors", (count, *record.arrays["vectors"].shape))
            vectors[row] = record.arrays["vectors"]
    if vectors is None:
        file.stream("eigenvectors", (0, 0, num_parameters if keeps_vectors else 0))
    num_pairs = len(refreshes[0]["eigenvalues"]) if refreshes else 0
    return {
        "refresh_iteration": np.array([row["iteration"] for row in refreshes], dtype="i8"),
        **{
            name: np.array([row[name] for row in refreshes]).reshape(len(refreshes), num_pairs)
            for name in ("eigenvalues", "residuals", "converged")
        },
        **{name: np.array([row[name] for row in refreshes]) for name in ("hvps", "seconds", "refresh_loss")},
    }


def _write_history(path: Path, rows: list[dict[str, Any]]) -> None:
    with written_whole(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, HISTORY_COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
