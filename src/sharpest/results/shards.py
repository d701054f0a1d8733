"""Shards of a file, and files put together from parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sharpest.errors import StoreError
from sharpest.results.file import TOGETHER, StoredFile, StoredWriter, create_stored, open_stored
from sharpest.results.layout import Layout
from sharpest.results.whole import USER_BLOCK, seal, written_whole

Part = tuple[Layout, Mapping[str, Any], Mapping[str, Any]]
"""A layout, its arrays, its attributes."""


def write_together(path: str | Path, parts: Sequence[Part]) -> None:
    """Write a combined file atomically. Rows of its arrays must be shorter than a megabyte.

    Args:
        path: The file to write.
        parts: Layout, arrays and attributes of each kind, as for ``write_stored``.

    Raises:
        ValueError: If an array or attribute is missing, unknown, or does not fit its layout.
        StoreError: If the file cannot be written.
    """
    with written_whole(path) as temporary:
        with open(temporary, "w+b") as stream, h5py.File(stream, "w", userblock_size=USER_BLOCK) as file:
            file.attrs["layout"], file.attrs["version"] = TOGETHER, 1
            for layout, arrays, attributes in parts:
                StoredWriter(file.create_group(layout.name), layout).complete(arrays, attributes)
        seal(temporary)


def _joined(values: Sequence[Any]) -> Any:
    """The common value of jobs on several machines, or ``a, b`` where they differ."""
    if isinstance(values[0], dict):
        return {name: _joined([value[name] for value in values]) for name in values[0]}
    return ", ".join(dict.fromkeys(values))


# attributes in which shards may differ, and how their values combine
_TOGETHER: dict[str, Callable[[Sequence[Any]], Any]] = {
    "planned_points": sum,
    "replays_checked": sum,
    "replay_drift": lambda values: float(np.max(values)),  # NaN stays
    "created": max,
    "git": _joined,
    "packages": _joined,
    "device": _joined,
}


def merge_shards(paths: Sequence[str], output: str, layout: Layout) -> int:
    """Merge shards into the file that one job would have written, bit for bit except for clock times.

    Args:
        paths: The shards, in the order of their points.
        output: Path of the merged file.
        layout: Layout of the shards.

    Returns:
        The number of points.

    Raises:
        StoreError: If a shard is damaged or belongs to another measurement, or the file cannot be written.
    """
    with ExitStack() as stack:
        shards = [stack.enter_context(open_stored(path, layout)) for path in paths]
        _check_order(paths, [shard["iteration"] for shard in shards])
        attributes = {name: _merged(name, paths, shards) for name in layout.attributes}
        starts = np.cumsum([0, *(shard.shape("iteration")[0] for shard in shards)])
        with create_stored(output, layout) as merged:
            whole = {}
            for dataset in layout.datasets:
                name = dataset.name
                if dataset.dims[0] not in ("t", "v"):
                    whole[name] = shards[0][name]
                    continue
                shapes = [shard.shape(name) for shard in shards]
                rows = merged.stream(name, (sum(shape[0] for shape in shapes), *shapes[0][1:]))
                done = 0
                for shard, shape, start in zip(shards, shapes, starts, strict=False):
                    for row in range(shape[0]):
                        value = shard.row(name, row)
                        rows[done] = value + start if name == "vector_index" else value
                        done += 1
            merged.complete(whole, attributes)
    return int(starts[-1])


def _check_order(paths: Sequence[str], iterations: Sequence[NDArray[np.int64]]) -> None:
    """Refuse shards whose points are not in order of time: they were mixed up."""
    end = -1
    for path, points in zip(paths, iterations, strict=True):
        if len(points) and points[0] <= end:
            raise StoreError(
                f"{path}: its points do not come after those of the previous shard; delete {Path(path).parent} and "
                "run snakemake again"
            )
        end = int(points[-1]) if len(points) else end


def _merged(name: str, paths: Sequence[str], shards: Sequence[StoredFile]) -> Any:
    values = [shard.attributes[name] for shard in shards]
    if name in _TOGETHER:
        return _TOGETHER[name](values)
    for path, value in zip(paths, values, strict=True):
        if value != values[0]:
            raise StoreError(
                f"{path}: {name} differs from that of {paths[0]}; delete {Path(path).parent} and run snakemake again"
            )
    return values[0]
