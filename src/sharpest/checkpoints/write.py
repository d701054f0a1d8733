"""Write imported checkpoints as a run: its scale, its snapshots, and the record of its data."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sharpest.checkpoints.files import contents_of, learning_rate, load_net
from sharpest.data.imported import Examples, source_digest, users_code
from sharpest.results.datasets import write_imported
from sharpest.results.file import StoredRows, create_stored
from sharpest.results.paths import Paths
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import PROGRESS, TrainingState, initial_state

TOLERANCE, MAX_PRODUCTS, EIGENPAIRS, GRADIENTS = 1e-3, 500, 5, 16

_TEXT = """\
# written by: sharpest import; change the measures and add figures as in docs/your-own.md
extends: quick
description: imported checkpoints

datasets:
  {data}: {{kind: imported, source: imported, batches: {batches}, train: {examples}, epoch: {epoch}}}
models:
  {model}: {{kind: imported, net: {net}, loss: {loss}}}
runs:
  {run}: {epochs}

for_runs:
  - runs: {run}
    set:
      lr_factor: 1
      batch_factor: 1
      epochs: {epochs}
      hessian:
        {{examples: {examples}, resample: false, chunk_size: {chunk}, tolerance: {tolerance}, max_products: {products}}}
      measures: {{spectra: {{accuracy_examples: {examples}}}, directions: {{loss_examples: {examples}}}}}

schedules:
  checkpoints:
    points: at iterations {iterations}
    measures:
      spectra: {{num_eigenpairs: {pairs}, accuracy_every: 1}}
      directions:
        indices: [1, 2, 0]
        num_gradients: 6
        alphas: [0.5, 1, 2]
        grid: [-4, -2, -1, -0.5, 0, 0.5, 1, 2, 4]
      gradient_sample: {{num_batches: {gradients}}}
      density: {{}}

studies:
  fig_sharpness:
    kind: measured
    caption: Sharpness of imported checkpoints.
    panels:
      - title: largest eigenvalue
        measure: spectra
        column: eigenvalues
        index: [0]
        x: iteration
        curves: [{{run: {run}, schedule: checkpoints, label: checkpoints}}]
      - title: batch sharpness
        measure: gradient_sample
        column: batch_sharpness
        error: batch_sharpness_error
        x: iteration
        curves: [{{run: {run}, schedule: checkpoints, label: checkpoints}}]
  fig_steps:
    kind: step_surface
    caption: As Fig. 6, for imported checkpoints.
    direction: 1
    alphas: [0.5, 1, 2]
    grid_limit: 4
    layout: row
    rows:
      - {{run: {run}, schedule: checkpoints, label: checkpoints, change_limit: 50}}
"""


@dataclass(frozen=True)
class Imported:
    """Settings of an imported run.

    Attributes:
        run: Id of the run.
        model, data: Names of model and data in the id.
        net, loss, batches: module:name of each.
        examples: Number of examples in all batches.
        batch_size: Examples per update.
        iterations: Iterations of the checkpoints, increasing.
        epoch: Updates per epoch; None = one pass over the batches.
    """

    run: str
    model: str
    data: str
    net: str
    loss: str
    batches: str
    examples: int
    batch_size: int
    iterations: Sequence[int]
    epoch: int | None

    @property
    def epochs(self) -> int:
        """Length of the run in epochs."""
        epoch = self.epoch or max(1, self.examples // self.batch_size)
        return max(1, math.ceil(self.iterations[-1] / epoch))

    def text(self) -> str:
        """The text of the file."""
        texts = {name: json.dumps(getattr(self, name)) for name in ("net", "loss", "batches", "epoch")}
        return _TEXT.format(
            **{**vars(self), **texts, "iterations": ", ".join(map(str, self.iterations))},
            epochs=self.epochs,
            chunk=self.batch_size,
            tolerance=TOLERANCE,
            products=MAX_PRODUCTS,
            pairs=EIGENPAIRS,
            gradients=GRADIENTS,
        )


def write_examples(path: Path, examples: Examples, batches: str, modules: Sequence[str], facts: dict[str, Any]) -> None:
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
    with create_stored(paths.snapshots(settings.run), SNAPSHOTS) as file:
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
