"""Write imported checkpoints as the snapshots of a run, and the record of its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sharpest.checkpoints.files import contents_of, learning_rate
from sharpest.checkpoints.states import load_net
from sharpest.data.imported import Examples
from sharpest.data.named import source_digest, users_code
from sharpest.results.datasets import write_imported
from sharpest.results.file import StoredRows
from sharpest.results.paths import Paths
from sharpest.results.snapshots import create_snapshots
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import PROGRESS, TrainingState, initial_state


def write_record(path: Path, examples: Examples, batches: str, modules: Sequence[str], facts: dict[str, Any]) -> None:
    """Write the record of the data: digests, not the data themselves.

    Args:
        path: Path of the record.
        examples: All examples.
        batches: module:name of the batches.
        modules: module:name of everything that the run takes from the user's code.
        facts: The attributes ``code`` and ``created``.
    """
    attributes = {
        "dataset": "imported",
        "sha256": examples.digest,
        "origin": batches,
        "num_classes": 0,
        "modules": {text: source_digest(text) for text in modules},
        **facts,
    }
    write_imported(path, examples.counts, attributes)


def write_run(
    problem: Problem, checkpoints: Sequence[tuple[int, Path]], paths: Paths, attributes: dict[str, Any]
) -> list[float]:
    """Write the snapshots of a run from its checkpoints, one at a time.

    Only parameters, buffers and the learning rate are taken, so the run cannot be replayed. Its best snapshot is the
    last one.

    Args:
        problem: The run; its net is overwritten.
        checkpoints: Iteration and file of each.
        paths: Paths of its scale.
        attributes: Provenance and ``hessian``.

    Returns:
        The mean loss over all examples at each checkpoint.

    Raises:
        DataError: If a checkpoint cannot be read, or belongs to another net.
        StoreError: If the file cannot be written.
    """
    settings, losses = problem.settings, list[float]()
    rows: dict[str, StoredRows] = {}
    iterations = np.array([iteration for iteration, _ in checkpoints])
    with create_snapshots(paths.snapshots(settings.run)) as file:
        for row, (iteration, path) in enumerate(checkpoints):
            state = _state(problem, iteration, path)
            for name, value in state.arrays().items():
                if row == 0:
                    rows[name] = file.stream(name, (len(checkpoints), *value.shape))
                rows[name][row] = value
            with users_code(f"--loss {settings.model['loss']}"):
                losses.append(problem.at(state.buffers).evaluate(state.theta, problem.data.train)[0])
        made_from = {paths.place(paths.data(settings.dataset_name)): problem.data.digest}
        outcome = {
            "run": settings.run,
            "best": len(checkpoints) - 1,
            "last": len(checkpoints) - 1,
            "diverged": -1,
            "stopped": 0,
            "clipped": 0,
            "parameters": problem.model.layout,
            "buffer_names": problem.model.buffer_layout,
            "progress": PROGRESS,
            "made_from": made_from,
        }
        file.complete(
            {**_empty_training_arrays(), "epoch": iterations / settings.steps_per_epoch}, {**attributes, **outcome}
        )
    return losses


def _state(problem: Problem, iteration: int, path: Path) -> TrainingState:
    contents = contents_of(path)
    load_net(problem.model.module, contents, path)
    state = initial_state(problem.settings, problem.model)
    empty = state.theta.new_empty(0)
    return replace(
        state,
        iteration=iteration,
        buffers=problem.model.initial_buffers(),
        velocity=empty,
        second_moment=empty,
        solver_start=empty,
        directions=None,
        lr=learning_rate(contents) or problem.settings.lr,
    )


def _empty_training_arrays() -> dict[str, Any]:
    """The arrays that only training fills, empty."""
    arrays = dict.fromkeys(("epoch_seconds", "update_loss", "seconds", "refresh_loss"), np.empty(0))
    arrays |= dict.fromkeys(("refresh_iteration", "hvps"), np.empty(0, dtype="i8"))
    arrays |= dict.fromkeys(("eigenvalues", "residuals"), np.empty((0, 0)))
    return {**arrays, "converged": np.empty((0, 0), dtype=bool), "eigenvectors": np.empty((0, 0, 0))}
