"""Measure the spectrum of a run at the points of a schedule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from sharpest.config.measurement import MeasurementSettings, SpectrumSettings
from sharpest.config.run import HessianSettings
from sharpest.curvature.lanczos import Eigenpairs
from sharpest.results.file import StoredWriter
from sharpest.trajectory.eigenpairs import hessian_at, solve_eigenpairs
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.replay import Replay

if TYPE_CHECKING:
    from sharpest.pipeline.progress import Progress


_LOSSES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
_COLUMNS = ("iteration", "eigenvalues", "residuals", "converged", "hvps", "seconds", *_LOSSES)


def measure_spectrum(
    problem: Problem,
    replay: Replay,
    segments: Sequence[Sequence[int]],
    settings: SpectrumSettings,
    hessian: HessianSettings,
    measurement: MeasurementSettings,
    file: StoredWriter,
    progress: Progress,
) -> dict[str, NDArray[Any]]:
    """Eigenpairs, and losses and accuracies where the schedule asks for them.

    The first solve of a segment starts cold, every other from the eigenvectors of the point before; where training has
    computed these eigenpairs itself, its own are taken. So a segment has the same bits alone and among others. Points
    after the end of a run that stopped or diverged are left out.

    Args:
        problem: The run.
        replay: Gives its states.
        segments: Iterations, increasing from segment to segment and within each.
        settings: Number of eigenpairs, cadence of accuracies, whether vectors are kept.
        hessian: The Hessian.
        measurement: Number of examples of the accuracies.
        file: Takes the eigenvectors one point at a time, as all of them are gigabytes at the paper's scale.
        progress: Told the points done.

    Returns:
        The other arrays of a spectrum file.

    Raises:
        NotDeterministicError: If the loss is not a function.
    """
    num_parameters = problem.model.num_parameters
    num_eigenpairs = min(settings.num_eigenpairs, num_parameters)
    segments = [[point for point in segment if replay.start <= point <= replay.end] for segment in segments]
    t = sum(map(len, segments))
    num_kept = t if settings.keep_vectors else 0
    vectors = file.stream("eigenvectors", (num_kept, num_eigenpairs, num_parameters))
    rows: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    progress.update(0)
    for segment in segments:
        for pairs, values in _measure_segment(problem, replay, segment, settings, hessian, measurement):
            if settings.keep_vectors:
                vectors[len(rows["iteration"])] = pairs.eigenvectors.cpu().numpy()
            for name, value in zip(_COLUMNS, values, strict=True):
                rows[name].append(value)
            progress.update(len(rows["iteration"]), f"lambda_max {pairs.eigenvalues[0]:.3g}")
    arrays = {name: np.array(values) for name, values in rows.items()}
    for name in ("eigenvalues", "residuals", "converged"):
        arrays[name] = arrays[name].reshape(t, num_eigenpairs)
    return {
        **arrays,
        "epoch": arrays["iteration"] / problem.settings.steps_per_epoch,
        "vector_index": np.arange(num_kept),
    }


def _measure_segment(
    problem: Problem,
    replay: Replay,
    points: Sequence[int],
    settings: SpectrumSettings,
    hessian: HessianSettings,
    measurement: MeasurementSettings,
) -> Iterator[tuple[Eigenpairs, tuple[Any, ...]]]:
    """The eigenpairs at each point of a segment, and its values in the order of the columns."""
    num_eigenpairs = min(settings.num_eigenpairs, problem.model.num_parameters)
    nudged = problem.settings.nudge
    usable = nudged is not None and nudged.hessian == hessian and nudged.num_eigenpairs >= num_eigenpairs
    recorded = {point for point in points if usable and replay.has_recorded(point, settings.keep_vectors)}
    with_accuracy = set(points[:: settings.accuracy_every] if settings.accuracy_every else ())
    states = replay.states(point for point in points if point not in recorded or point in with_accuracy)
    warm = None
    for point in points:
        state = next(states) if point not in recorded or point in with_accuracy else None
        here = problem.at(state.buffers) if state else problem
        if point in recorded:
            pairs = _leading(replay.recorded_eigenpairs(point, settings.keep_vectors), num_eigenpairs)
        else:
            assert state is not None  # it was asked for above
            operator = hessian_at(here, state.theta, point, hessian)
            pairs = solve_eigenpairs(here, operator, point, hessian, num_eigenpairs, warm)
            warm = pairs.eigenvectors.sum(dim=0)
        taken: tuple[float, ...] = (np.nan,) * len(_LOSSES)
        if state and point in with_accuracy:
            train = problem.data.train.first(measurement.accuracy_examples)
            taken = here.evaluate(state.theta, train) + here.evaluate(state.theta, problem.data.val)
        solved = (pairs.eigenvalues, pairs.residuals, pairs.converged, pairs.num_products, pairs.seconds)
        yield pairs, (point, *solved, *taken)
    next(states, None)  # lets the last replay be compared


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
