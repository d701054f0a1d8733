"""Take a measure of a run at the points of a schedule: replay, segments, kills, progress, and the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sharpest.config.measures import Measure
from sharpest.config.run import HessianSettings
from sharpest.measures.kept import KeptPoints
from sharpest.measures.point import Point
from sharpest.results.file import StoredWriter, create_stored
from sharpest.results.layout import Dataset
from sharpest.results.paths import Paths
from sharpest.results.stored import Measured
from sharpest.results.work import Record, has_work, locked
from sharpest.trajectory.replay import Replay


def measure_run(
    measure: Measure,
    replay: Replay,
    segments: Sequence[Sequence[int | str]],
    settings: Any,
    hessian: HessianSettings,
    stored: Mapping[str, Measured],
    attributes: Mapping[str, Any],
    output: Path,
    work: Path,
    progress: Callable[[int, str], None],
) -> int:
    """Call the function ``measure`` of a measure at each point, and write the file.

    Points beyond the end of a run that stopped or diverged are skipped, and so are points at which a needed measure was
    not taken. A segment gives the same bits alone as among others, because nothing is carried between segments. After
    a kill, the measurement resumes after the last kept point, and the file is the same except for clock times.

    Args:
        measure: Declaration of the measure.
        replay: Provides the states of the run.
        segments: Points, increasing from segment to segment and within each; ``best`` and ``last`` are snapshots.
        settings: Settings of the measure.
        hessian: Settings of the measured Hessian.
        stored: Files of the measures that this one needs, by name.
        attributes: Provenance and other attributes of the file.
        output: Path of the file, written under a temporary name and renamed.
        work: Folder for the points of an unfinished measurement; emptied at the end.
        progress: Called with the number of points done and a note.

    Returns:
        The number of points in the file.

    Raises:
        ValueError: If a value does not fit the layout, or a carried value cannot be stored.
        StoreError: If a file cannot be written; the points up to then are kept.
    """
    attributes = {**attributes, "made_from": _made_from(replay, stored, attributes["schedule"])}
    had_work = has_work(work, identity := _identity(segments, attributes))
    # a second job waits here, then resumes where the first one died, or finds its file
    with locked(work):
        if had_work and not has_work(work, identity) and output.exists():
            return len(Measured(output, measure.layout).iteration)
        kept = KeptPoints(measure.name, work, identity)
        rows = _measured(measure, replay, segments, settings, hessian, stored, kept, progress)
        # the file is begun only now: until the end of the job, a vector lies on the disk once
        with create_stored(output, measure.layout) as file:
            rows.write(file, kept, replay, {**attributes, "planned_points": sum(map(len, segments))})
        kept.remove()
    return rows.count


def _identity(segments: Sequence[Sequence[int | str]], attributes: Mapping[str, Any]) -> str:
    """A hash of all that the bits depend on: segments, and attributes without ``created`` and ``git``."""
    parts = {
        **{name: value for name, value in attributes.items() if name not in ("created", "git")},
        "segments": segments,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _made_from(replay: Replay, stored: Mapping[str, Measured], schedule: str) -> dict[str, str]:
    """Path within the folder of the scale -> digest, for each file that is read."""
    settings, places = replay.problem.settings, Paths(Path())
    return {
        str(places.data(settings.dataset_name)): replay.problem.data.digest,
        str(places.snapshots(settings.run)): replay.snapshots.digest,
        **{str(places.measured(name, settings.run, schedule)): measured.digest for name, measured in stored.items()},
    }


def _measured(
    measure: Measure,
    replay: Replay,
    segments: Sequence[Sequence[int | str]],
    settings: Any,
    hessian: HessianSettings,
    stored: Mapping[str, Measured],
    kept: KeptPoints,
    progress: Callable[[int, str], None],
) -> _Rows:
    """Measure all points that are not kept; returns the values of all, whose vectors remain in the store."""
    function = import_module(f"sharpest.measures.{measure.name}.measure").measure
    reached = [_within(replay, stored, segment) for segment in segments]
    lengths = {"p": replay.problem.model.num_parameters, "x": replay.problem.data.test.targets.numel()}
    rows = _Rows(measure, settings, lengths, sum(map(len, reached)))
    starts = [0, *accumulate(map(len, reached))]
    count, note = kept.resume(starts)
    walked = _take_kept(kept.points(count), rows, replay)
    progress(count, note)
    for segment, start in zip(reached, starts, strict=False):
        if start + len(segment) < count:
            continue  # the whole segment is kept, and so is a later point
        walk, carried = replay.walk(), dict[str, Any]()
        if start < count:
            carried = kept.carried(count - 1)
            if walked is not None:
                walk.to(walked)
        for number in range(max(start, count), start + len(segment)):
            index = number - start
            point = Point(replay, walk, segment[index], hessian, stored, index, carried)
            values = rows.add(segment[index], function(point, settings))
            replayed = {"walked": walk.iteration, "checked": replay.checked, "drift": replay.drift}
            carried = kept.keep(number, replayed, values, carried)
            progress(number + 1, rows.note)
        walk.finish()
    return rows


def _take_kept(points: Iterable[Record], rows: _Rows, replay: Replay) -> int | None:
    """Add the kept points to the rows; returns the iteration to which the state of the last one was replayed."""
    walked = None
    for record in points:
        rows.add(int(record.arrays["iteration"]), record.arrays)
        walked, replay.checked, replay.drift = (record.facts[name] for name in ("walked", "checked", "drift"))
    return walked


def _attributes(replay: Replay) -> dict[str, Any]:
    return {
        "lr": replay.problem.settings.lr,
        "mode": replay.problem.model.mode,
        "diverged_epoch": replay.diverged_epoch,
        "replays_checked": replay.checked,
        "replay_drift": replay.drift,
    }


def _within(replay: Replay, stored: Mapping[str, Measured], segment: Sequence[int | str]) -> list[int]:
    """The points of a segment that the run reached, and at which all needed measures were taken."""
    points = [replay.iteration_of(point) if isinstance(point, str) else point for point in segment]
    replay.check(points)
    measured_iterations = [set(measured.iteration.tolist()) for measured in stored.values()]
    return [
        point
        for point in points
        if replay.start <= point <= replay.end and all(point in iterations for iterations in measured_iterations)
    ]


class _Rows:
    """The arrays of a file, filled point by point.

    Args:
        measure: Declaration of the measure, with the layout.
        settings: Settings of the measure.
        lengths: p, the number of parameters, and x, the number of test targets.
        num_points: t.

    Attributes:
        count: Points so far.
    """

    def __init__(self, measure: Measure, settings: Any, lengths: Mapping[str, int], num_points: int) -> None:
        self._name, self.count = measure.name, 0
        self._constants = {name: np.asarray(value) for name, value in measure.constants(settings).items()}
        datasets = {dataset.name: dataset for dataset in measure.layout.datasets}
        self._sizes = {
            **{datasets[name].dims[0]: len(value) for name, value in self._constants.items()},
            **lengths,
            **measure.sizes(settings, lengths["p"]),
        }
        own = [dataset for name, dataset in datasets.items() if name not in ("epoch", "vector_index")]
        self._by_point = {dataset.name: dataset for dataset in own if dataset.dims[0] == "t"}
        self._vectors = {dataset.name: dataset for dataset in own if dataset.dims[0] == "v"}
        self._kept: set[str] = set()
        """Names of the vectors that the points have."""
        self._arrays = {
            name: np.full((num_points, *self._row_shape(dataset)), np.nan if _is_real(dataset) else 0, dataset.dtype)
            for name, dataset in self._by_point.items()
        }

    def _row_shape(self, dataset: Dataset) -> tuple[int, ...]:
        return tuple(self._sizes[letter] for letter in dataset.dims[1:])

    @property
    def note(self) -> str:
        """The first value of the latest point, for the progress line."""
        for name in (name for name in self._by_point if name != "iteration"):
            if len(latest := self._arrays[name][self.count - 1].ravel()):
                return f"{name} {float(latest[0]):.3g}"
        return ""

    def add(self, iteration: int, values: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Add the values of the next point; returns them as arrays."""
        if not isinstance(values, Mapping):
            raise ValueError(f"measure {self._name}: gives {type(values).__name__}, expected a value for each name")
        values = {**values, "iteration": iteration}
        if unknown := sorted(values.keys() - self._by_point.keys() - self._vectors.keys()):
            known = ", ".join([*self._by_point, *self._vectors])
            raise ValueError(f"measure {self._name}: {', '.join(unknown)} is not in its layout, which has {known}")
        for name, dataset in self._by_point.items():
            if name not in values and not _is_real(dataset):
                raise ValueError(f"measure {self._name}: {name} is missing; only real numbers may be left out")
        datasets = {**self._by_point, **self._vectors}
        arrays = {name: self._checked(datasets[name], value) for name, value in values.items()}
        vectors = self._vectors.keys() & arrays.keys()
        if self.count == 0 and vectors:
            self._kept = set(self._vectors)
        if vectors != self._kept:
            raise ValueError(f"measure {self._name}: vectors are kept at all points or at none")
        for name in self._by_point.keys() & arrays.keys():
            self._arrays[name][self.count] = arrays[name]
        self.count += 1
        return arrays

    def _checked(self, dataset: Dataset, value: Any) -> NDArray[Any]:
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
        if array.shape != self._row_shape(dataset):
            raise ValueError(
                f"measure {self._name}: {dataset.name} has shape {array.shape}, expected {self._row_shape(dataset)}"
            )
        if not np.can_cast(array.dtype, dataset.dtype, "same_kind"):
            raise ValueError(f"measure {self._name}: {dataset.name} is of type {array.dtype}, expected {dataset.dtype}")
        return array

    def write(self, file: StoredWriter, kept: KeptPoints, replay: Replay, attributes: Mapping[str, Any]) -> None:
        """Write everything; the kept vectors are copied from the store, one point in memory at a time."""
        count = self.count if self._kept else 0
        streams = {
            name: file.stream(name, (count, *self._row_shape(dataset))) for name, dataset in self._vectors.items()
        }
        for row, point in enumerate(kept.points(count)):
            for name, stream in streams.items():
                stream[row] = point.arrays[name]
        index = {"vector_index": np.arange(count)} if self._vectors else {}
        epoch = self._arrays["iteration"] / replay.problem.settings.steps_per_epoch
        arrays = {**self._arrays, **self._constants, **index, "epoch": epoch}
        file.complete(arrays, {**attributes, **_attributes(replay)})


def _is_real(dataset: Dataset) -> bool:
    return np.dtype(dataset.dtype).kind == "f"
