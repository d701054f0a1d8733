"""A schedule on one run: where it is measured, and what is taken there."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Schedule:
    """What is measured on a run.

    Attributes:
        run: Id of the run.
        name: Of the schedule.
        points: Completed updates at which it is measured, increasing; or ``best`` and ``last``, its snapshots.
        window: Early window that figures draw apart, in epochs; None where there is none.
        shard_points: Points that one job measures; None = all.
        measures: Settings of each measure that is taken, by name; a measure stands behind those that it needs.
    """

    run: str
    name: str
    points: list[int | str]
    window: float | None
    shard_points: int | None
    measures: dict[str, Any]

    @property
    def segments(self) -> list[list[int | str]]:
        """The points, cut into the shards that a job each measures."""
        length = self.shard_points or len(self.points)
        return [self.points[first : first + length] for first in range(0, len(self.points), length)]
