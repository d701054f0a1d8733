"""The Hessian of a run's training loss and its leading eigenpairs, for Nudged SGD (NSGD) and for measurements."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sharpest.config.run import HessianSettings
from sharpest.curvature.differentiation import check_deterministic
from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import Eigenpairs, largest_eigenpairs
from sharpest.data.dataset import Split
from sharpest.data.randomness import generator
from sharpest.trajectory.epoch import DirectionSolver
from sharpest.trajectory.problem import Problem, chunks_of

if TYPE_CHECKING:  # a change of this module must not make training stale
    from sharpest.curvature.preconditioned import Preconditioned


def hessian_examples(problem: Problem, iteration: int, settings: HessianSettings) -> Split:
    """The N examples of the Hessian at an iteration: the same for all runs of equal seed and N (inventory 1.4)."""
    if settings.resample:
        return problem.data.stream.sample("hessian", iteration, settings.examples)
    return problem.data.train.first(settings.examples)


def hessian_at(problem: Problem, theta: Tensor, iteration: int, settings: HessianSettings) -> Hessian:
    """The Hessian of the training loss at a state of the run.

    Args:
        problem: The run, with the buffers of that state.
        theta: (p,).
        iteration: Determines the Hessian examples.
        settings: Settings of the Hessian.

    Raises:
        NotDeterministicError: If the loss takes different values at the same parameters.
    """
    model = problem.model
    chunks = chunks_of(hessian_examples(problem, iteration, settings), settings.chunk_size)
    check_deterministic(lambda: model.loss(theta, *chunks[0]), model.module)
    return Hessian(model.loss, theta, chunks)


def solve_eigenpairs(
    problem: Problem,
    operator: Hessian | Preconditioned,
    iteration: int,
    settings: HessianSettings,
    num_eigenpairs: int,
    warm: Tensor | None = None,
) -> Eigenpairs:
    """Leading eigenpairs of the Hessian.

    The start vector leans towards the gradient, which overlaps with the leading eigenvectors, and towards earlier ones.

    Args:
        problem: The run.
        operator: The Hessian (``hessian_at``), or the Hessian in the metric of the run's optimizer.
        iteration: Determines the random starts.
        settings: Settings of the Hessian.
        num_eigenpairs: k; limited to p, the number of parameters.
        warm: (p,), sum of earlier eigenvectors, or None.
    """
    seed, like = problem.settings.seed, operator.theta
    hints = [operator.gradient] if warm is None else [operator.gradient, warm]
    return largest_eigenpairs(
        operator.product,
        like,
        min(num_eigenpairs, len(like)),
        settings.tolerance,
        settings.max_products,
        generator(seed, "solver", iteration),
        hints,
    )


def direction_solver(problem: Problem) -> DirectionSolver | None:
    """The solver for the directions along which a run scales its step; None for SGD."""
    nudged = problem.settings.nudge
    if nudged is None:
        return None

    def solve(bound: Problem, theta: Tensor, iteration: int, warm: Tensor) -> Eigenpairs:
        operator = hessian_at(bound, theta, iteration, nudged.hessian)
        return solve_eigenpairs(bound, operator, iteration, nudged.hessian, nudged.num_eigenpairs, warm)

    return solve


def largest_of(pairs: Eigenpairs, num_eigenpairs: int) -> Eigenpairs:
    """The k pairs of largest magnitude among ``pairs``, ordered as before: the largest eigenvalue first."""
    rows = np.sort(np.argsort(-np.abs(pairs.eigenvalues), kind="stable")[:num_eigenpairs])
    has_vectors = len(pairs.eigenvectors) > 0
    return replace(
        pairs,
        eigenvalues=pairs.eigenvalues[rows],
        eigenvectors=pairs.eigenvectors[torch.from_numpy(rows)] if has_vectors else pairs.eigenvectors,
        residuals=pairs.residuals[rows],
        converged=pairs.converged[rows],
    )
