"""The points of an unfinished measurement, kept so that a killed job resumes after the last of them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sharpest.measures.carried import Packed, unpacked
from sharpest.results.whole import written_whole
from sharpest.results.work import Record, WorkFolder, append_record, cannot_write, cut_records, read_records

CARRIED_BYTES = 2**26
"""At this size the file of carried values starts over, because a vector of p values per point would fill the disk."""


class KeptPoints(WorkFolder):
    """The values of each point, and those it carried to the next point.

    The file ``points`` holds the values of every point, the file ``carried`` the carried values of the latest points. A
    kill between the two writes costs one point. A power loss or damage costs all points after the last one for which
    both files are intact.

    Args:
        path: The folder.
        identity: A hash of all that the bits of the measurement depend on.
    """

    def __init__(self, path: Path, identity: str) -> None:
        super().__init__(path, identity)
        self._points, self._carried = path / "points", path / "carried"

    def keep(
        self, number: int, facts: Mapping[str, Any], values: Mapping[str, NDArray[Any]], carried: Packed
    ) -> dict[str, Any]:
        """Keep the next point; returns the values carried to the point after it.

        Args:
            number: Number of the point within the measurement, from 0.
            facts: Further state of the measurement, such as counts of checks.
            values: Values of the point.
            carried: Values carried to the next point.

        Raises:
            StoreError: If the point cannot be written.
        """
        try:
            append_record(self._points, facts, values)
            self._keep_carried({"point": number, **carried[0]}, carried[1])
        except OSError as error:
            raise cannot_write(self.path, error) from error
        return unpacked(carried)

    def _keep_carried(self, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        if not self._carried.exists() or self._carried.stat().st_size < CARRIED_BYTES:
            append_record(self._carried, facts, arrays)
            return
        # flush the points first: after a power loss, this file must not be newer than they are
        with open(self._points, "rb") as file:
            os.fsync(file.fileno())
        with written_whole(self._carried) as temporary:
            append_record(temporary, facts, arrays)

    def resume(self, starts: Collection[int]) -> tuple[int, str]:
        """The number of points that need not be measured again, and a note for the user; later records are deleted.

        Args:
            starts: Numbers of the first points of the segments, and the total number of points: nothing is carried to
                these.

        Raises:
            StoreError: If a file cannot be truncated.
        """
        ends = [0, *(record.end for record in _whole(self._points))]
        carried = {record.facts["point"]: record.end for record in read_records(self._carried) if record}
        count = max(number for number in range(len(ends)) if number in starts or number - 1 in carried)
        damaged = self._points.exists() and ends[count] < self._points.stat().st_size
        try:
            cut_records(self._points, ends[count])
            cut_records(self._carried, max((end for point, end in carried.items() if point < count), default=0))
        except OSError as error:
            raise cannot_write(self.path, error) from error
        if self.emptied:
            return 0, "starts again: what was kept is of other code, settings, inputs or packages"
        if damaged:
            verb = "goes on" if count else "starts again"
            return count, f"{verb}: what was kept behind this point is damaged or cut short"
        return count, "goes on" if count else ""

    def points(self, count: int) -> Iterator[Record]:
        """The first ``count`` points, one in memory at a time."""
        return islice(_whole(self._points), count)

    def carried(self, number: int) -> dict[str, Any]:
        """The values that a point carried to the next one; empty if they are not kept."""
        for record in read_records(self._carried):
            if record and record.facts["point"] == number:
                return unpacked((record.facts, record.arrays))
        return {}


def _whole(path: Path) -> Iterator[Record]:
    """The records before the first damaged one."""
    for record in read_records(path):
        if record is None:
            return
        yield record
