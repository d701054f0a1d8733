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
from sharpest.curvature.stochastic import frobenius_norm
from sharpest.data.randomness import generator
from sharpest.trajectory.eigenpairs import hessian_at, solve_eigenpairs
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.replay import Replay

if TYPE_CHECKING:
    from sharpest.pipeline.progress import Progress


def evaluate_run(
    problem: Problem,
    replay: Replay,
    best: int,
    last: int,
    settings: EvaluationSettings,
    hessian: HessianSettings,
    progress: Progress,
) -> dict[str, NDArray[Any]]:
    """Norms of the Hessian, test accuracy, final loss and distance at the best and the last snapshot.

    Args:
        problem: The run.
        replay: Gives its snapshots.
        best, last: Rows of the snapshots file.
        settings: Numbers of eigenvalues, probes and examples.
        hessian: The Hessian; its number of examples is replaced by the settings'.
        progress: Told the end points done.

    Returns:
        The arrays of an evaluation file.

    Raises:
        NotDeterministicError: If the loss is not a function.

    Source: inventory 1.7.
    """
    # where the Hessian's examples are the first ones, they stay so, only more of them
    examples = min(settings.examples, len(problem.data.train))
    hessian = hessian.model_copy(update={"examples": examples})
    start = replay.snapshot(0).theta
    train = problem.data.train.first(settings.loss_examples)
    points: list[dict[str, Any]] = []
    progress.update(0)
    for row in (best, last):
        state = replay.snapshot(row)
        here = problem.at(state.buffers)
        operator = hessian_at(here, state.theta, state.iteration, hessian)
        pairs = solve_eigenpairs(here, operator, state.iteration, hessian, settings.num_eigenpairs)
        probes = generator(problem.settings.seed, "probe")  # the same at both
        probed = frobenius_norm(operator, settings.num_probes, probes)
        points.append(
            {
                "iteration": state.iteration,
                "epoch": state.iteration / problem.settings.steps_per_epoch,
                "eigenvalues": pairs.eigenvalues,
                "residuals": pairs.residuals,
                "converged": pairs.converged,
                "spectral_norm": np.abs(pairs.eigenvalues).max(),
                "frobenius": np.linalg.norm(pairs.eigenvalues),
                "frobenius_probe": probed.value,
                "frobenius_probe_error": probed.error,
                "test_accuracy": here.evaluate(state.theta, problem.data.test)[1],
                "train_loss": here.evaluate(state.theta, train)[0],
                "distance": float((state.theta - start).norm()),
            }
        )
        progress.update(len(points))
    return {name: np.array([point[name] for point in points]) for name in points[0]}


def median_seconds(epoch_seconds: NDArray[np.float64]) -> float:
    """Median wall time of an epoch (h,) in seconds; NaN where the run trained none."""
    return float(np.median(epoch_seconds)) if len(epoch_seconds) else math.nan


def accuracy_at(history: str | Path, epoch: int) -> float:
    """Validation accuracy at the end of an epoch, a fraction; NaN where the run ended before (inventory 1.7).

    Args:
        history: A run's ``history.csv``.
        epoch: Counted from 1.
    """
    with open(history, newline="") as file:
        rows = [row for row in csv.DictReader(file) if float(row["epoch"]) == epoch]
    return float(rows[0]["val_accuracy"]) if rows else math.nan
