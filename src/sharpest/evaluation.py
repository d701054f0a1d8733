"""End points of a run: best and last snapshot (inventory 1.7)."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.config.measurement import EvaluationSettings
from sharpest.config.run import HessianSettings
from sharpest.randomness import generator
from sharpest.training.eigenpairs import hessian_at, solve_eigenpairs
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
        probed, error = probed_frobenius(operator.product, state.theta, settings.num_probes, problem.settings.seed)
        points.append(
            {
                "iteration": state.iteration,
                "epoch": state.iteration / problem.settings.steps_per_epoch,
                "eigenvalues": pairs.eigenvalues,
                "residuals": pairs.residuals,
                "converged": pairs.converged,
                "spectral_norm": np.abs(pairs.eigenvalues).max(),
                "frobenius": np.linalg.norm(pairs.eigenvalues),
                "frobenius_probe": probed,
                "frobenius_probe_error": error,
                "test_accuracy": here.evaluate(state.theta, problem.data.test)[1],
                "train_loss": here.evaluate(state.theta, train)[0],
                "distance": float((state.theta - start).norm()),
            }
        )
        progress.update(len(points))
    return {name: np.array([point[name] for point in points]) for name in points[0]}


def probed_frobenius(
    product: Callable[[Tensor], Tensor], like: Tensor, num_probes: int, seed: int
) -> tuple[float, float]:
    """Frobenius norm of a symmetric operator from its products with random vectors.

    For standard normal v the expectation of |Hv|^2 is the sum of all squared eigenvalues, so that the mean over probes
    is an unbiased estimate of the squared norm.

    Args:
        product: v (p,) to H v (p,).
        like: (p,), gives dtype and device.
        num_probes: Products taken; at least 2.
        seed: Of the run; probe n is the same at all its snapshots.

    Returns:
        The square root of the mean of |Hv|^2, and its standard error, that of the mean over twice the root.

    Source: inventory 1.7, where the code averages |Hv| and not its square; Hutchinson (1989).
    """
    squares = np.zeros(num_probes)
    for number in range(num_probes):
        probe = torch.randn(len(like), generator=generator(seed, "probe", number)).to(like)
        squares[number] = float(torch.linalg.vector_norm(product(probe), dtype=torch.float64)) ** 2
    norm = math.sqrt(squares.mean())
    error = squares.std(ddof=1) / math.sqrt(num_probes)
    return norm, 0.0 if norm == 0 else float(error) / (2 * norm)


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
