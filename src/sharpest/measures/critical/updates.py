"""The updates that a run could make at one point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from sharpest.curvature.lanczos import Eigenpairs
from sharpest.data.dataset import Split, Stream
from sharpest.measures.point import Point
from sharpest.trajectory.eigenpairs import direction_solver
from sharpest.trajectory.epoch import DirectionSolver, EpochLog, advance
from sharpest.trajectory.problem import Problem


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
