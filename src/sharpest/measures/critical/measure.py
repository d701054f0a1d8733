"""Critical and directional sharpness of the updates that a run could make at one point.

Losses are computed in inference mode, in float32, and in float64 if a change is within rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sharpest.curvature.critical import BRACKETED, CriticalStep, critical_step, directional_sharpness
from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import Eigenpairs
from sharpest.data.dataset import Split, Stream
from sharpest.measures.critical import Settings
from sharpest.measures.point import Point
from sharpest.trajectory.eigenpairs import direction_solver
from sharpest.trajectory.epoch import DirectionSolver, EpochLog, advance
from sharpest.trajectory.problem import Problem, chunks_of


@dataclass(frozen=True)
class _Drawn:
    """The stream of a run, with a random sample as the next batch."""

    stream: Stream
    purpose: str
    size: int

    def batch(self, iteration: int) -> Split:
        return self.stream.sample(self.purpose, iteration, self.size)

    def sample(self, purpose: str, counter: int, num_examples: int) -> Split:
        return self.stream.sample(purpose, counter, num_examples)


def updates(point: Point, count: int) -> Iterator[tuple[Split, Tensor]]:
    """Updates that training could make at a point: its next one, then updates on randomly drawn batches.

    Args:
        point: The point.
        count: Number of updates.

    Yields:
        The batch, and the direction D = (theta - theta after) / lr, (p,) float64. D includes the velocity of momentum
        and the scaling of NSGD.
    """
    run, solver = point.problem, _solver(point)
    for number in range(count):
        size, stream = run.settings.batch_size, run.data.stream
        drawn = _Drawn(stream, f"update-{number}", size) if number else stream
        problem = replace(run, data=replace(run.data, stream=drawn))
        after = advance(problem, point.state, point.iteration + 1, EpochLog(), solver)
        yield drawn.batch(point.iteration), (point.theta.double() - after.theta.double()) / point.lr


def _solver(point: Point) -> DirectionSolver | None:
    """The solver for the directions of NSGD; it computes them once for all updates, or reads those kept by training."""
    nudge, solver = point.problem.settings.nudge, direction_solver(point.problem)
    if nudge is None or solver is None:
        return None
    recorded = point.recorded(nudge.num_eigenpairs, with_vectors=True)
    solved = [] if recorded is None else [recorded]

    def solve(problem: Problem, theta: Tensor, iteration: int, warm: Tensor) -> Eigenpairs:
        if not solved:
            solved.append(solver(problem, theta, iteration, warm))
        return solved[0]

    return solve


def measure(point: Point, settings: Settings) -> dict[str, Any]:
    """Critical steps along each update, on its batch and on the Hessian examples; the first update is the run's own.

    A search starts from the eta_c of the previous search, the first search from the eta_c of the quadratic model.

    Source: Kalra et al. (2026), arXiv 2601.16979.
    """
    steps: dict[str, list[CriticalStep]] = {"batch": [], "full": []}
    sharpness = []
    for batch, direction in updates(point, settings.num_batches):
        sharpness.append(_directional(point, batch, direction))
        modelled = 2 / abs(sharpness[-1]) if sharpness[-1] and math.isfinite(sharpness[-1]) else point.lr
        for kind, split in (("batch", batch), ("full", point.examples)):
            start = point.carried.get(kind, modelled)
            step = critical_step(
                _losses(point, split, direction, torch.float32),
                start,
                settings.tolerance,
                _losses(point, split, direction, torch.float64),
            )
            steps[kind].append(step)
            if step.outcome == BRACKETED:
                point.carried[kind] = step.value
    values: dict[str, Any] = {"batch_sharpness": sharpness, "directional_sharpness": np.mean(sharpness)}
    values |= _summary(steps["batch"], "", "batch", point.lr) | _summary(steps["full"], "_full", "full", point.lr)
    return {**values, "critical_sharpness": 2 / values["critical_lr"]}


def _directional(point: Point, batch: Split, direction: Tensor) -> float:
    chunks = chunks_of(batch, point.settings.chunk_size)
    hessian = Hessian(point.problem.model.loss, point.theta, chunks)
    return directional_sharpness(direction, hessian.product(direction.to(point.theta)), hessian.gradient)


def _losses(point: Point, split: Split, direction: Tensor, dtype: torch.dtype) -> Callable[[float], Tensor]:
    theta, size = point.theta.double(), point.settings.chunk_size
    return lambda eta: point.problem.mean_loss((theta - eta * direction).to(dtype), split, size)


def _summary(steps: list[CriticalStep], ending: str, kind: str, lr: float) -> dict[str, Any]:
    """The stored values of the searches of one kind."""
    values = np.array([step.value for step in steps])
    finite = values[np.isfinite(values)]
    mean = finite.mean() if len(finite) else np.nan
    error = finite.std(ddof=1) / np.sqrt(len(finite)) if len(finite) > 1 else np.nan
    if len(steps) == 1:
        error = steps[0].error
    return {
        f"{kind}_lr": values,
        f"{kind}_outcome": np.array([step.outcome for step in steps]),
        f"critical_lr{ending}": mean,
        f"critical_lr{ending}_error": error,
        f"critical_ratio{ending}": mean / lr,
        f"num_found{ending}": len(finite),
        f"forwards{ending}": sum(step.num_forwards for step in steps),
    }
