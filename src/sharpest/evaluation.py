"""End points of a run: best and last snapshot (inventory 1.7)."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sharpest.config.measurement import EvaluationSettings
from sharpest.config.run import HessianSettings
from sharpest.training.eigenpairs import solve_eigenpairs
from sharpest.training.problem import Problem
from sharpest.training.replay import Replay

if TYPE_CHECKING:
    from sharpest.progress import Progress


def evaluate_run(
    problem: Problem,
    replay: Replay,
    best: int,
    last: int,
    settings: EvaluationSettings,
    hessian: HessianSettings,
    progress: Progress,
) -> dict[str, NDArray[Any]]:
    """Norm of the Hessian, test accuracy, final loss and distance at the best and the last snapshot.

    Args:
        problem: The run.
        replay: Gives its snapshots.
        best, last: Rows of the snapshots file.
        settings: Number of eigenvalues and examples.
        hessian: The Hessian; its number of examples is replaced by the settings'.
        progress: Told the end points done.

    Returns:
        The arrays of an evaluation file.

    Source: inventory 1.7.
    """
    # where the Hessian's examples are the first ones, they stay so, only more of them
    examples = min(settings.examples, len(problem.data.train))
    hessian = hessian.model_copy(update={"examples": examples})
    start = replay.snapshot(0).theta
    train = problem.data.train.first(settings.loss_examples)
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            "iteration",
            "eigenvalues",
            "residuals",
            "converged",
            "test_accuracy",
            "train_loss",
            "distance",
        )
    }
    progress.update(0)
    for done, row in enumerate((best, last), start=1):
        state = replay.snapshot(row)
        here = problem.at(state.buffers)
        pairs = solve_eigenpairs(here, state.theta, state.iteration, hessian, settings.num_eigenpairs, None)
        columns["iteration"].append(state.iteration)
        columns["eigenvalues"].append(pairs.eigenvalues)
        columns["residuals"].append(pairs.residuals)
        columns["converged"].append(pairs.converged)
        columns["test_accuracy"].append(here.evaluate(state.theta, problem.data.test)[1])
        columns["train_loss"].append(here.evaluate(state.theta, train)[0])
        columns["distance"].append(float((state.theta - start).norm()))
        progress.update(done)
    arrays = {name: np.array(values) for name, values in columns.items()}
    return {
        **arrays,
        "epoch": arrays["iteration"] / problem.settings.steps_per_epoch,
        "frobenius": np.sqrt((arrays["eigenvalues"] ** 2).sum(axis=1)),
    }


def accuracy_at(history: str | Path, epoch: int) -> float:
    """Validation accuracy at the end of an epoch, a fraction; NaN where the run ended before (inventory 1.7).

    Args:
        history: A run's ``history.csv``.
        epoch: Counted from 1.
    """
    with open(history, newline="") as file:
        rows = [row for row in csv.DictReader(file) if float(row["epoch"]) == epoch]
    return float(rows[0]["val_accuracy"]) if rows else math.nan
