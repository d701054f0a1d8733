"""States of a run at any iteration: load the snapshot before it and train on from there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sharpest.config.run import RunSettings
from sharpest.curvature.lanczos import Eigenpairs
from sharpest.errors import StoreError, some_of
from sharpest.results.paths import Paths
from sharpest.results.record import other_source
from sharpest.results.stored import Snapshots
from sharpest.trajectory.eigenpairs import direction_solver
from sharpest.trajectory.epoch import EpochLog, advance, end_epoch
from sharpest.trajectory.problem import Problem, build_problem
from sharpest.trajectory.state import TrainingState


class Replay:
    """Provides states of a finished run; states between its snapshots are replayed.

    Because randomness is a pure function, a replay is bitwise equal to the original. Before a replay leaves an interval
    between two snapshots, it trains on to the next snapshot and compares.

    Args:
        problem: The run.
        snapshots: Its snapshots file.

    Attributes:
        problem: The run.
        snapshots: Its snapshots file.
        attributes: Attributes of the file.
        checked: Number of comparisons made.
        drift: Largest absolute difference of a parameter in all comparisons; 0 if replays are exact.
    """

    def __init__(self, problem: Problem, snapshots: Snapshots) -> None:
        self.problem = problem
        self.snapshots = snapshots
        self.attributes = snapshots.attributes
        self._solver = direction_solver(problem)
        self._refreshes = {int(iteration): row for row, iteration in enumerate(snapshots["refresh_iteration"])}
        self._vectors_kept = snapshots.shape("eigenvectors")[0] > 0
        if self._vectors_kept:
            self._solver = self._look_up
        self._iterations = snapshots["iteration"]
        self._spe = problem.settings.steps_per_epoch
        self.checked = 0
        self.drift = 0.0

    @property
    def start(self) -> int:
        """The first iteration that can be opened; for a branch, the branch point."""
        return int(self._iterations[0])

    @property
    def end(self) -> int:
        """The last iteration that can be opened; earlier than planned if the run stopped or diverged."""
        return int(self._iterations[-1])

    @property
    def device(self) -> torch.device:
        """The device of data and states."""
        return self.problem.data.train.inputs.device

    def iteration_of(self, name: str) -> int:
        """The iteration of the snapshot called ``best`` or ``last``."""
        return int(self._iterations[self.attributes[name]])

    def snapshot(self, row: int) -> TrainingState:
        """The state in a row of the snapshots file."""
        arrays = self.snapshots.state(row)
        return TrainingState.from_arrays(arrays, self.problem.settings, self.device)

    def has_recorded(self, iteration: int, with_vectors: bool) -> bool:
        """Whether training computed eigenpairs at an iteration and, if vectors are needed, kept the eigenvectors."""
        return iteration in self._refreshes and (self._vectors_kept or not with_vectors)

    def recorded_eigenpairs(self, iteration: int, with_vectors: bool) -> Eigenpairs:
        """The eigenpairs that training computed at an iteration; see ``has_recorded``.

        Args:
            iteration: Completed updates.
            with_vectors: Whether to read the eigenvectors; without, ``eigenvectors`` has no rows.
        """
        row = self._refreshes[iteration]
        vectors = torch.empty(0, self.problem.model.num_parameters)
        if with_vectors:
            vectors = torch.from_numpy(self.snapshots.row("eigenvectors", row)).to(self.device)
        values, residuals, converged = (
            self.snapshots.row(name, row) for name in ("eigenvalues", "residuals", "converged")
        )
        num_products, seconds = int(self.snapshots.row("hvps", row)), float(self.snapshots.row("seconds", row))
        complete = bool(converged.any())  # a pair is flagged as converged only within a complete set
        return Eigenpairs(values, vectors, residuals, converged, complete, num_products, seconds)

    def _look_up(self, problem: Problem, theta: Tensor, iteration: int, warm: Tensor) -> Eigenpairs:
        """A direction solver that reads recorded eigenpairs instead of recomputing them."""
        return self.recorded_eigenpairs(iteration, with_vectors=True)

    def check(self, iterations: Iterable[int]) -> None:
        """Check that the states at some iterations are stored or can be replayed.

        Raises:
            StoreError: If the run is imported and an iteration is not one of its checkpoints.
        """
        missing = set(iterations) - set(self._iterations.tolist())
        if self.problem.settings.is_imported and missing:
            raise StoreError(
                f"{self.problem.settings.run} is imported: only its checkpoints can be measured, at iterations "
                f"{some_of(self._iterations.tolist())}, not {some_of(sorted(missing))}"
            )

    def walk(self) -> Walk:
        """A walk along the run, from each state to a later one."""
        return Walk(self)

    def states(self, iterations: Iterable[int]) -> Iterator[TrainingState]:
        """The states at increasing iterations; iterations before the start or after the end of the run are skipped."""
        walk = self.walk()
        for iteration in iterations:
            if iteration > self.end:
                break
            if iteration >= self.start:
                yield walk.to(iteration)
        walk.finish()

    def row_before(self, iteration: int) -> int:
        """Row of the last snapshot at or before an iteration."""
        return int(np.searchsorted(self._iterations, iteration, side="right")) - 1

    def snapshot_iteration(self, row: int) -> int:
        """The iteration of a row of the snapshots file."""
        return int(self._iterations[row])

    def compare(self, state: TrainingState, limit: int) -> None:
        """Train on from ``state`` to the next snapshot, if its row is at most ``limit``, and compare with it."""
        if state.iteration in self._iterations:
            return
        row = int(np.searchsorted(self._iterations, state.iteration))
        if row > limit:
            return
        replayed = self.train_on(state, int(self._iterations[row]))
        stored = torch.from_numpy(self.snapshots.row("theta", row)).to(replayed.theta)
        self.checked += 1
        # np.maximum propagates NaN
        self.drift = float(np.maximum(self.drift, float((replayed.theta - stored).abs().max())))

    def train_on(self, state: TrainingState, iteration: int) -> TrainingState:
        """Train on to a later iteration; returns its state."""
        self.check([iteration])
        while state.iteration < iteration:
            boundary = (state.iteration // self._spe + 1) * self._spe
            # the losses of an epoch entered midway are incomplete; only the check for divergence reads them
            log = EpochLog()
            state = advance(self.problem, state, min(boundary, iteration), log, self._solver)
            if state.iteration == boundary and boundary not in self._iterations:
                state, _ = end_epoch(self.problem, state, log, validate=self.problem.settings.rule == "plat")
        return state

    @property
    def diverged_epoch(self) -> float | None:
        """The epoch at which the loss was no longer finite; None if the run did not diverge."""
        iteration = self.attributes["diverged"]
        return None if iteration < 0 else iteration / self._spe


class Walk:
    """A sequence of states, each trained from the previous state or from a snapshot between the two.

    Args:
        replay: The run.
    """

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._state: TrainingState | None = None

    @property
    def iteration(self) -> int | None:
        """The current iteration; None before the first state."""
        return None if self._state is None else self._state.iteration

    def to(self, iteration: int) -> TrainingState:
        """The state at an iteration; a step back starts again from the snapshot before that iteration."""
        replay, state = self._replay, self._state
        if state is not None and state.iteration > iteration:
            state = None
        row = replay.row_before(iteration)
        base = replay.snapshot_iteration(row)
        if state is not None and state.iteration < base:
            replay.compare(state, row)
            state = None
        if state is None:
            state = replay.snapshot(row)
        self._state = replay.train_on(state, iteration)
        return self._state

    def finish(self) -> None:
        """If the walk ends between two snapshots, train on to the later one and compare."""
        if self._state is not None:
            self._replay.compare(self._state, self._replay.row_before(self._state.iteration) + 1)


def open_run(snapshots: Snapshots, data: str | Path) -> Replay:
    """Open a trained run for measurement.

    Args:
        snapshots: Its snapshots file.
        data: The data file that the run was trained on.

    Raises:
        StoreError: If a file is damaged, or the run was trained on other data.
    """
    problem = build_problem(RunSettings.model_validate(snapshots.attributes["config"]), data)
    data_path = str(Paths(Path()).data(problem.settings.dataset_name))
    if snapshots.attributes["made_from"].get(data_path) != problem.data.digest:
        raise other_source(snapshots.path, Path(data))
    return Replay(problem, snapshots)
