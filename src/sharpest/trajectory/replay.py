"""States of a run at any iteration: load the last snapshot before it and train on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sharpest.config.run import RunSettings
from sharpest.curvature.lanczos import Eigenpairs
from sharpest.errors import StoreError, some_of
from sharpest.results.identity import other_source
from sharpest.results.paths import Paths
from sharpest.results.states import Snapshots
from sharpest.trajectory.eigenpairs import direction_solver
from sharpest.trajectory.epoch import EpochLog, advance, end_epoch
from sharpest.trajectory.problem import Problem, build_problem
from sharpest.trajectory.state import TrainingState


class Replay:
    """Reads states of a finished run, replaying what lies between its snapshots.

    Because randomness is a pure function, a replay is bitwise the original. Each replay that has begun an interval
    between two snapshots and is to leave it trains on to the next snapshot and compares.

    Args:
        problem: The run.
        snapshots: Its snapshots file.

    Attributes:
        problem: The run.
        snapshots: As given.
        attributes: Those of the file.
        checked: Comparisons made.
        drift: Largest absolute difference of a parameter in them; 0 where replays are exact.
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
        """The first iteration that can be opened: that of the branch point, for a branch."""
        return int(self._iterations[0])

    @property
    def end(self) -> int:
        """The last iteration that can be opened; before the planned one where the run stopped or diverged."""
        return int(self._iterations[-1])

    @property
    def device(self) -> torch.device:
        """Where data and states are."""
        return self.problem.data.train.inputs.device

    def iteration_of(self, name: str) -> int:
        """The iteration of the snapshot ``best`` or ``last``."""
        return int(self._iterations[self.attributes[name]])

    def snapshot(self, row: int) -> TrainingState:
        """The state of a row of the file."""
        arrays = self.snapshots.state(row)
        return TrainingState.from_arrays(arrays, self.problem.settings, self.device)

    def has_recorded(self, iteration: int, with_vectors: bool) -> bool:
        """Whether training itself computed eigenpairs at an iteration, and kept their vectors if these are needed."""
        return iteration in self._refreshes and (self._vectors_kept or not with_vectors)

    def recorded_eigenpairs(self, iteration: int, with_vectors: bool) -> Eigenpairs:
        """The eigenpairs that training computed, so that nothing is computed twice; see :meth:`has_recorded`.

        Args:
            iteration: Completed updates.
            with_vectors: Whether the eigenvectors are read; without, there are no rows of them.
        """
        row = self._refreshes[iteration]
        vectors = torch.empty(0, self.problem.model.num_parameters)
        if with_vectors:
            vectors = torch.from_numpy(self.snapshots.row("eigenvectors", row)).to(self.device)
        values = {name: self.snapshots.row(name, row) for name in ("eigenvalues", "residuals", "converged")}
        num_products, seconds = int(self.snapshots.row("hvps", row)), float(self.snapshots.row("seconds", row))
        return Eigenpairs(**values, eigenvectors=vectors, num_products=num_products, seconds=seconds)

    def _look_up(self, problem: Problem, theta: Tensor, iteration: int, warm: Tensor) -> Eigenpairs:
        """A solver that computes nothing again."""
        return self.recorded_eigenpairs(iteration, with_vectors=True)

    def check(self, iterations: Iterable[int]) -> None:
        """Check that states are there, or can be replayed.

        Raises:
            StoreError: If the run is imported, and one is none of its checkpoints.
        """
        missing = set(iterations) - set(self._iterations.tolist())
        if self.problem.settings.is_imported and missing:
            raise StoreError(
                f"{self.problem.settings.run} is imported: only its checkpoints can be measured, at iterations "
                f"{some_of(self._iterations.tolist())}, and not {some_of(sorted(missing))}"
            )

    def walk(self) -> Walk:
        """A way along the run, from one point to a later one."""
        return Walk(self)

    def states(self, iterations: Iterable[int]) -> Iterator[TrainingState]:
        """The states at increasing iterations; those before the start and after the end of the run are left out."""
        walk = self.walk()
        for iteration in iterations:
            if iteration > self.end:
                break
            if iteration >= self.start:
                yield walk.to(iteration)
        walk.finish()

    def row_before(self, iteration: int) -> int:
        """Row of the last snapshot that is not after an iteration."""
        return int(np.searchsorted(self._iterations, iteration, side="right")) - 1

    def snapshot_iteration(self, row: int) -> int:
        """The iteration of a row."""
        return int(self._iterations[row])

    def compare(self, state: TrainingState, limit: int) -> None:
        """Finish the interval that ``state`` lies in, if it is one of those before row ``limit``, and compare."""
        if state.iteration in self._iterations:
            return
        row = int(np.searchsorted(self._iterations, state.iteration))
        if row > limit:
            return
        replayed = self.train_on(state, int(self._iterations[row]))
        stored = torch.from_numpy(self.snapshots.row("theta", row)).to(replayed.theta)
        self.checked += 1
        # NaN stays
        self.drift = float(np.maximum(self.drift, float((replayed.theta - stored).abs().max())))

    def train_on(self, state: TrainingState, iteration: int) -> TrainingState:
        """The state at a later iteration."""
        self.check([iteration])
        while state.iteration < iteration:
            boundary = (state.iteration // self._spe + 1) * self._spe
            # the losses of an epoch that was entered midway are incomplete, and only its divergence reads them
            log = EpochLog()
            state = advance(self.problem, state, min(boundary, iteration), log, self._solver)
            if state.iteration == boundary and boundary not in self._iterations:
                state, _ = end_epoch(self.problem, state, log, validate=self.problem.settings.rule == "plat")
        return state

    @property
    def diverged_epoch(self) -> float | None:
        """Epochs until the loss was no longer finite; None where it stayed so."""
        iteration = self.attributes["diverged"]
        return None if iteration < 0 else iteration / self._spe


class Walk:
    """States of a run, each by training on from the one before it or from a snapshot between the two.

    Args:
        replay: The run.
    """

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._state: TrainingState | None = None

    @property
    def iteration(self) -> int | None:
        """Where it is; None before the first state."""
        return None if self._state is None else self._state.iteration

    def to(self, iteration: int) -> TrainingState:
        """The state at an iteration of the run; one that is before the one asked for last begins at its snapshot."""
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
        """Train on to the next snapshot, where the walk has begun an interval, and compare."""
        if self._state is not None:
            self._replay.compare(self._state, self._replay.row_before(self._state.iteration) + 1)


def open_run(snapshots: Snapshots, data: str | Path) -> Replay:
    """Open a trained run for measurement.

    Args:
        snapshots: Its snapshots file.
        data: The data file that it was trained on.

    Raises:
        StoreError: If a file is damaged, or the data are not those that the run was trained on.
    """
    problem = build_problem(RunSettings.model_validate(snapshots.attributes["config"]), data)
    place = str(Paths(Path()).data(problem.settings.dataset_name))
    if snapshots.attributes["made_from"].get(place) != problem.data.digest:
        raise other_source(snapshots.path, Path(data))
    return Replay(problem, snapshots)
