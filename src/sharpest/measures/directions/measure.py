"""Measure gradients, scaled steps and loss profiles along the directions of a spectrum file.

Letters: t points, m gradients, d directions, a alphas, g grid points, p parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sharpest.config.measurement import DirectionSettings, MeasurementSettings
from sharpest.data.randomness import generator
from sharpest.measures.directions.alignment import absolute_cosines, projections
from sharpest.measures.directions.line import LossLine, loss_profile
from sharpest.measures.losses import clean_loss
from sharpest.results.file import StoredFile
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.replay import Replay

if TYPE_CHECKING:
    from sharpest.pipeline.progress import Progress

FULL_STEP = 0
RANDOM = -1


def gradient_sample(problem: Problem, theta: Tensor, iteration: int, num_gradients: int) -> Tensor:
    """Mini-batch gradients of the training loss at one point, (m, p): a function of seed and iteration."""
    size = problem.settings.batch_size
    return torch.stack(
        [
            problem.gradient(theta, problem.data.stream.sample(f"gradient-{m}", iteration, size))
            for m in range(num_gradients)
        ]
    )


def measure_directions(
    problem: Problem,
    replay: Replay,
    spectrum: StoredFile,
    segments: Sequence[Sequence[int]],
    settings: DirectionSettings,
    measurement: MeasurementSettings,
    chunk_size: int,
    progress: Progress,
) -> dict[str, NDArray[Any]]:
    """Projections and alignment at each point with vectors; alpha study and profiles where the settings ask for them.

    Every alpha uses the same gradients, so that only the length of the step differs. A segment has the same bits alone
    and among others. Points that the spectrum lacks are left out: the run ended before.

    Args:
        problem: The run.
        replay: Gives its states.
        spectrum: The eigenvectors.
        segments: Iterations, increasing from segment to segment and within each.
        settings: Directions, gradients, alphas, grid.
        measurement: Number of examples of the loss.
        chunk_size: Examples a forward pass; no effect on results.
        progress: Told the points done.

    Returns:
        The arrays of a directions file.

    Source: Figs. 5 and 6; inventory, Figures 5 and 6.
    """
    rows_of_t = spectrum["vector_index"]
    kept = {int(iteration): row for row, iteration in enumerate(spectrum["iteration"][rows_of_t])}
    segments = [[point for point in segment if point in kept] for segment in segments]
    iterations = np.array([point for segment in segments for point in segment], dtype="i8")
    t, m, d = len(iterations), settings.num_gradients, len(settings.indices)
    a, g = len(settings.alphas), len(settings.grid)
    arrays: dict[str, NDArray[Any]] = {
        "iteration": iterations,
        "epoch": iterations / problem.settings.steps_per_epoch,
        "direction": np.array(settings.indices),
        "alphas": np.array(settings.alphas),
        "grid": np.array(settings.grid),
        "projection": np.full((t, m, d), np.nan),
        "gradient_norm": np.full((t, m), np.nan),
        "loss": np.full(t, np.nan),
        "loss_change": np.full((t, d, a), np.nan),
        "step_length": np.full((t, d), np.nan),
        "profile": np.full((t, d, g), np.nan),
        "cosine": np.full((t, d), np.nan),
    }

    progress.update(0)
    states = (
        (place % settings.alpha_every == 0, state)
        for segment in segments
        for place, state in enumerate(replay.states(segment))
    )
    for row, (study, state) in enumerate(states):
        here, theta, lr = problem.at(state.buffers), state.theta, state.lr

        def loss(theta: Tensor, here: Problem = here) -> float:
            with torch.no_grad():
                return float(clean_loss(here, theta, measurement.loss_examples, chunk_size))

        gradients = gradient_sample(here, theta, state.iteration, m)
        norms = gradients.norm(dim=1).double()
        vectors = torch.from_numpy(spectrum.row("eigenvectors", kept[state.iteration])).to(theta)
        units = torch.stack([_unit(problem, index, vectors, gradients, state.iteration) for index in settings.indices])
        projection = projections(gradients, units)
        if FULL_STEP in settings.indices:
            # each gradient along its own direction
            projection[:, settings.indices.index(FULL_STEP)] = norms
        arrays["projection"][row] = projection.cpu().numpy()
        arrays["gradient_norm"][row] = norms.cpu().numpy()
        arrays["cosine"][row] = absolute_cosines(projection, norms).mean(dim=0).cpu().numpy()
        steps = lr * projection.cpu().numpy()
        arrays["step_length"][row] = np.abs(steps).mean(axis=0)
        if g:
            start = loss(theta)
            arrays["loss"][row] = start
            for column, index in enumerate(settings.indices):
                length = arrays["step_length"][row, column]
                if not np.isfinite(length):
                    continue  # gradients overflow before a run diverges, and there is no step to measure
                distances = np.array(settings.grid) * length
                values = loss_profile(loss, theta, units[column], distances.tolist())
                arrays["profile"][row, column] = values
                if not study:
                    continue
                if index == FULL_STEP:
                    losses = [
                        loss_profile(loss, theta, -lr * gradient, list(settings.alphas)) for gradient in gradients
                    ]
                    changes = np.mean(losses, axis=0) - start
                else:
                    line = LossLine(loss, theta, units[column], distances, values)
                    changes = line.mean_changes(-np.outer(settings.alphas, steps[:, column]))
                arrays["loss_change"][row, column] = changes
        progress.update(row + 1)
    return arrays


def _unit(problem: Problem, index: int, vectors: Tensor, gradients: Tensor, iteration: int) -> Tensor:
    """The unit vector of a direction, (p,); that of the full step is the mean gradient's."""
    if index == FULL_STEP:
        mean = gradients.mean(dim=0)
        return mean / mean.norm().clamp(min=torch.finfo(mean.dtype).tiny)
    if index == RANDOM:
        rng = generator(problem.settings.seed, "random-direction", iteration)
        random = torch.randn(vectors.shape[1], generator=rng).to(vectors)
        return random / random.norm()
    return vectors[index - 1]
