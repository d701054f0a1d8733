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
from sharpest.training.eigenpairs import solve_eigenpairs
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

    Each solve starts from the eigenvectors of the previous point; where training has kept its eigenpairs, these are
    taken. Points after the end of a run that stopped or diverged are left out.

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
    vectors = []
    warm = None
    progress.update(0)
    for state in replay.states(points):
        here = problem.at(state.buffers)
        pairs = _leading(replay.kept_eigenpairs(state.iteration), num_eigenpairs)
        if pairs is None:
            pairs = solve_eigenpairs(here, state.theta, state.iteration, hessian, num_eigenpairs, warm)
        warm = pairs.eigenvectors.sum(dim=0)
        values = (
            state.iteration, pairs.eigenvalues, pairs.residuals, pairs.converged, pairs.num_products, pairs.seconds
        )  # fmt: skip
        for name, value in zip(columns, values, strict=True):
            rows[name].append(value)
        taken: tuple[float, ...] = (np.nan,) * 4
        if settings.accuracy_every and (len(rows["iteration"]) - 1) % settings.accuracy_every == 0:
            train = problem.data.train.first(measurement.accuracy_examples)
            taken = here.evaluate(state.theta, train) + here.evaluate(state.theta, problem.data.val)
        for name, number in zip(losses, taken, strict=True):
            rows[name].append(number)
        if settings.keep_vectors:
            vectors.append(pairs.eigenvectors.cpu().numpy())
        progress.update(len(rows["iteration"]), f"lambda_max {pairs.eigenvalues[0]:.3g}")
    count = len(rows["iteration"])
    arrays = {name: np.array(values) for name, values in rows.items()}
    for name in ("eigenvalues", "residuals", "converged"):
        arrays[name] = arrays[name].reshape(count, num_eigenpairs)
    return {
        **arrays,
        "epoch": arrays["iteration"] / problem.settings.steps_per_epoch,
        "vector_index": np.arange(len(vectors)),
        "eigenvectors": np.array(vectors, dtype="f4").reshape(len(vectors), num_eigenpairs, num_parameters),
    }


def _leading(pairs: Eigenpairs | None, num_eigenpairs: int) -> Eigenpairs | None:
    """The k pairs of largest magnitude among more, largest eigenvalue first; None where there are fewer."""
    if pairs is None or len(pairs.eigenvalues) < num_eigenpairs:
        return None
    wanted = np.sort(np.argsort(-np.abs(pairs.eigenvalues), kind="stable")[:num_eigenpairs])
    return replace(
        pairs,
        eigenvalues=pairs.eigenvalues[wanted],
        eigenvectors=pairs.eigenvectors[torch.from_numpy(wanted)],
        residuals=pairs.residuals[wanted],
        converged=pairs.converged[wanted],
    )
