"""A schedule on one run: its points and its measures."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Schedule:
    """A schedule on one run.

    Attributes:
        run: Id of the run.
        name: Name of the schedule.
        points: Completed updates at which the run is measured, increasing; or its snapshots ``best`` and ``last``.
        window: Early window in epochs, which figures draw separately; None if there is none.
        shard_points: Points that one job measures; None = all.
        measures: Settings of each measure taken, by name; a measure comes after those that it needs.
    """

    run: str
    name: str
    points: list[int | str]
    window: float | None
    shard_points: int | None
    measures: dict[str, Any]

    @property
    def segments(self) -> list[list[int | str]]:
        """The points, split into shards of one job each."""
        length = self.shard_points or len(self.points)
        return [self.points[first : first + length] for first in range(0, len(self.points), length)]
