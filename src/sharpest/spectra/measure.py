"""Measure the spectrum of a run at the points of a schedule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from sharpest.config.measurement import MeasurementSettings, SpectrumSettings
from sharpest.config.run import HessianSettings
from sharpest.curvature.lanczos import Eigenpairs
from sharpest.training.eigenpairs import hessian_at, solve_eigenpairs
from sharpest.training.problem import Problem
from sharpest.training.replay import Replay

if TYPE_CHECKING:
    from sharpest.progress import Progress


def measure_spectrum(
    problem: Problem,
    replay: Replay,
    points: list[int],
    settings: SpectrumSettings,
    hessian: HessianSettings,
    measurement: MeasurementSettings,
    progress: Progress,
) -> dict[str, NDArray[Any]]:
    """Eigenpairs, and losses and accuracies where the schedule asks for them.

    Each solve starts from the eigenvectors of the previous point; where training has computed these eigenpairs itself,
    its own are taken. Points after the end of a run that stopped or diverged are left out.

    Args:
        problem: The run.
        replay: Gives its states.
        points: Iterations, increasing.
        settings: Number of eigenpairs, cadence of accuracies, whether vectors are kept.
        hessian: The Hessian.
        measurement: Number of examples of the accuracies.
        progress: Told the points done.

    Returns:
        The arrays of a spectrum file.

    Raises:
        NotDeterministicError: If the loss is not a function.
    """
    num_parameters = problem.model.num_parameters
    num_eigenpairs = min(settings.num_eigenpairs, num_parameters)
    columns = ("iteration", "eigenvalues", "residuals", "converged", "hvps", "seconds")
    losses = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    rows: dict[str, list[Any]] = {name: [] for name in (*columns, *losses)}
    warm = None
    points = [point for point in points if replay.start <= point <= replay.end]
    nudged = problem.settings.nudge
    usable = nudged is not None and nudged.hessian == hessian and nudged.num_eigenpairs >= num_eigenpairs
    recorded = {point for point in points if usable and replay.has_recorded(point, settings.keep_vectors)}
    with_accuracy = set(points[:: settings.accuracy_every] if settings.accuracy_every else ())
    states = replay.states(point for point in points if point not in recorded or point in with_accuracy)
    # gigabytes at the paper's scale, so that there is room for them once
    num_kept = len(points) if settings.keep_vectors else 0
    vectors = np.empty((num_kept, num_eigenpairs, num_parameters), dtype="f4")
    progress.update(0)
    for done, point in enumerate(points, start=1):
        state = next(states) if point not in recorded or point in with_accuracy else None
        here = problem.at(state.buffers) if state else problem
        if point in recorded:
            pairs = _leading(replay.recorded_eigenpairs(point, settings.keep_vectors), num_eigenpairs)
        else:
            assert state is not None  # it was asked for above
            operator = hessian_at(here, state.theta, point, hessian)
            pairs = solve_eigenpairs(here, operator, point, hessian, num_eigenpairs, warm)
            warm = pairs.eigenvectors.sum(dim=0)
        values = (point, pairs.eigenvalues, pairs.residuals, pairs.converged, pairs.num_products, pairs.seconds)
        for name, value in zip(columns, values, strict=True):
            rows[name].append(value)
        taken: tuple[float, ...] = (np.nan,) * 4
        if state and point in with_accuracy:
            train = problem.data.train.first(measurement.accuracy_examples)
            taken = here.evaluate(state.theta, train) + here.evaluate(state.theta, problem.data.val)
        for name, number in zip(losses, taken, strict=True):
            rows[name].append(number)
        if settings.keep_vectors:
            vectors[done - 1] = pairs.eigenvectors.cpu().numpy()
        progress.update(done, f"lambda_max {pairs.eigenvalues[0]:.3g}")
    next(states, None)  # lets the last replay be compared
    arrays = {name: np.array(values) for name, values in rows.items()}
    for name in ("eigenvalues", "residuals", "converged"):
        arrays[name] = arrays[name].reshape(len(points), num_eigenpairs)
    return {
        **arrays,
        "epoch": arrays["iteration"] / problem.settings.steps_per_epoch,
        "vector_index": np.arange(num_kept),
        "eigenvectors": vectors,
    }


def _leading(pairs: Eigenpairs, num_eigenpairs: int) -> Eigenpairs:
    """The k pairs of largest magnitude, still with the largest eigenvalue first."""
    wanted = np.sort(np.argsort(-np.abs(pairs.eigenvalues), kind="stable")[:num_eigenpairs])
    kept = len(pairs.eigenvectors) > 0
    return replace(
        pairs,
        eigenvalues=pairs.eigenvalues[wanted],
        eigenvectors=pairs.eigenvectors[torch.from_numpy(wanted)] if kept else pairs.eigenvectors,
        residuals=pairs.residuals[wanted],
        converged=pairs.converged[wanted],
    )
