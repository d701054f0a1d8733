"""A measurement killed at any moment resumes after the last point it saved, and ends with the same bits."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
import torch
from builders import Run, Silent, full_batch_settings
from sealed import changed
from stored_work import damage, opened

from sharpest.config.measures import declared
from sharpest.measures.point import Point
from sharpest.results.stored import Measured
from sharpest.results.work import WorkStore

from .conftest import Settings, values_at

# borders within an interval between snapshots (0, 5, 10, 20), on a snapshot, and a segment without points
SEGMENTS = [[0, 3, 7, 10], [12, 13], [], [17, 18, 20]]
COUNT = 9


class Killed(BaseException):
    """An exception that no code expects."""


class Counting:
    """A measure that depends on all earlier points of its segment, and on the type of its carried values.

    Args:
        dies_at: Number of the call in which it dies; None = never.
        death: The exception raised.
    """

    def __init__(self, dies_at: int | None = None, death: Callable[[], Any] | None = None) -> None:
        self.calls: list[int] = []
        self._dies_at, self._death = dies_at, death or self._raise

    @staticmethod
    def _raise() -> None:
        raise Killed

    def __call__(self, point: Point, settings: Settings) -> dict[str, Any]:
        if len(self.calls) == self._dies_at:
            point.carried["total"] = None  # must not be visible to later points
            self._death()
        self.calls.append(point.iteration)
        carried = point.carried
        if point.place:
            assert {name: type(value) for name, value in carried.items()} == {
                "total": torch.Tensor, "array": np.ndarray, "places": int, "sum": float, "text": str, "none": type(None)
            }  # fmt: skip
            assert (carried["places"], carried["text"]) == (point.place, "x" * point.place)
        total = carried.get("total", torch.zeros_like(point.theta)) * 0.9 + point.theta
        array = carried.get("array", np.zeros((2, 3))) + float(point.theta.sum())
        carried |= {"total": total, "array": array.T.copy().T, "places": point.place + 1, "none": None}
        carried |= {"sum": carried.get("sum", 0.1) / 3 + float(total.norm()), "text": "x" * (point.place + 1)}
        return {**values_at(point, settings), "norm": carried["sum"], "moments": carried["array"][0]}


def contents(taken: Measured) -> dict[str, Any]:
    """Arrays bit for bit, and attributes."""
    arrays = {dataset.name: (taken.shape(dataset.name), taken[dataset.name].tobytes()) for dataset in taken.datasets}
    return {**arrays, **taken.attributes}


@pytest.fixture
def whole(take) -> dict[str, Any]:
    """The file of an uninterrupted measurement."""
    counting = Counting()
    expected = contents(take(SEGMENTS, counting, name="whole"))
    assert len(counting.calls) == COUNT
    assert expected["replays_checked"] == 4  # to 5, 10 and twice to 20
    return expected


@pytest.fixture
def work(tmp_path) -> Path:
    return tmp_path / "work/toy"


def die(take: Callable[..., Measured], dies_at: int) -> Counting:
    counting = Counting(dies_at)
    with pytest.raises(Killed):
        take(SEGMENTS, counting)
    return counting


def entries(work: Path) -> list[str]:
    return sorted(path.suffix or path.name for path in work.iterdir())


# --- kills


@pytest.mark.parametrize("dies_at", [0, 5, 8])
def test_a_death_in_a_point_loses_only_that_point(take, whole, work, dies_at):
    first, progress = die(take, dies_at), Silent()
    assert len(opened(work).numbers("points")) == dies_at
    second = Counting()
    assert contents(take(SEGMENTS, second, progress=progress.update)) == whole
    assert first.calls + second.calls == [point for segment in SEGMENTS for point in segment]
    assert progress.lines[0] == (dies_at, "goes on" if dies_at else "")
    assert entries(work) == ["lock"]


def test_death_after_death(take, whole):
    for number in range(COUNT - 1):
        assert len(die(take, 1).calls) == 1, number
    assert contents(take(SEGMENTS, Counting())) == whole


def test_a_death_between_the_last_point_and_the_file(take, whole, work, monkeypatch):
    """During the replay to the next snapshot, writing of the rest, or renaming."""
    for name in ("sharpest.trajectory.replay.Walk.finish", "sharpest.results.file.StoredWriter.complete", "os.replace"):
        with monkeypatch.context() as patch:
            patch.setattr(name, lambda *_, **__: Counting._raise())
            with pytest.raises(Killed):
                take(SEGMENTS, Counting())
        assert opened(work).numbers("points")
    again = Counting(0)
    assert contents(take(SEGMENTS, again)) == whole


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("dies_at", [2, 5, 17])
def test_a_death_in_a_write_loses_at_most_one_point(take, whole, monkeypatch, written, dies_at):
    """Each point is two records. Later jobs die in their second point, so they read much that was written since."""
    writes, put = 0, WorkStore.put

    def dying(self: WorkStore, *arguments: Any) -> None:
        nonlocal writes
        writes += 1
        if writes <= dies_at or written:
            put(self, *arguments)
        if writes > dies_at:
            raise Killed

    jobs, taken = [Counting()], []
    with monkeypatch.context() as patch:
        patch.setattr(WorkStore, "put", dying)
        with pytest.raises(Killed):
            take(SEGMENTS, jobs[0])
    while not taken and len(jobs) <= COUNT + 1:
        jobs.append(Counting(1))
        with suppress(Killed):
            taken.append(take(SEGMENTS, jobs[-1]))
    assert contents(taken[0]) == whole
    assert COUNT <= sum(len(job.calls) for job in jobs) <= COUNT + 1


@pytest.mark.parametrize("dies_at", [0, 4])
def test_a_process_that_ends_at_once(take, whole, dies_at):
    """Without handlers and without closing files."""
    child = os.fork()
    if not child:
        try:
            take(SEGMENTS, Counting(dies_at, lambda: os._exit(9)))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    second = Counting()
    assert contents(take(SEGMENTS, second)) == whole
    assert len(second.calls) == COUNT - dies_at


def test_a_shard_also_resumes(take):
    """One segment, as measured by the job of a shard; the shards of a schedule do not interfere."""
    expected = [contents(take([segment], Counting(), name=f"whole{number}")) for number, segment in enumerate(SEGMENTS)]
    for number, segment in enumerate(SEGMENTS):
        if segment:
            with pytest.raises(Killed):
                take([segment], Counting(1), name=f"{number}")
    for number, segment in enumerate(SEGMENTS):
        counting = Counting()
        assert contents(take([segment], counting, name=f"{number}")) == expected[number]
        assert counting.calls == segment[1:]


def test_a_measure_that_needs_no_state_resumes(take):
    """Then nothing is replayed or compared."""

    def without(dies_at: int) -> Callable[..., Any]:
        def function(point: Point, settings: Settings) -> dict[str, Any]:
            if point.iteration == dies_at:
                raise Killed
            return {"place": point.place, **({"norm": point.theta.norm()} if point.iteration == 7 else {})}

        return function

    settings = Settings(rows=0)
    segments = [[0, 3, 7, 8], [12, 17]]
    expected = contents(take(segments, without(-1), settings, name="whole"))
    for dies_at in (3, 7, 8, 17):
        with pytest.raises(Killed):
            take(segments, without(dies_at), settings)
    assert contents(take(segments, without(-1), settings)) == expected
    assert expected["replays_checked"] == 1  # to 10


def test_a_second_job_waits_and_finds_the_file(take, tmp_path):
    """As when a new Snakemake starts a job while that of a killed one is still running."""
    under_way, go_on = Event(), Event()
    first, second, taken = Counting(), Counting(), []

    def function(point: Point, settings: Settings) -> dict[str, Any]:
        if point.iteration == 7:
            under_way.set()
            go_on.wait(60)
        return first(point, settings)

    jobs = [Thread(target=lambda: taken.append(take(SEGMENTS, function)))]
    jobs[0].start()
    assert under_way.wait(60)
    jobs.append(Thread(target=lambda: taken.append(take(SEGMENTS, second))))
    jobs[1].start()
    jobs[1].join(0.5)
    assert jobs[1].is_alive()
    go_on.set()
    for job in jobs:
        job.join(60)
    assert len(taken) == 2
    assert second.calls == []


@pytest.mark.parametrize(("name", "dies_at"), [("critical", 1), ("critical", 4), ("gradient_flow", 2)])
def test_measures_with_carried_values_resume_with_the_same_bits(tmp_path, monkeypatch, name, dies_at):
    """The last critical step; the flow and its time step."""
    module = import_module(f"sharpest.measures.{name}.measure")
    run = Run(tmp_path, full_batch_settings(epochs=2)).train()
    settings, segments, calls = declared(name).settings(), [[0, 1, 2], [4, 5]], []

    def dying(point: Point, settings: Any) -> dict[str, Any]:
        calls.append(point.iteration)
        if len(calls) == dies_at + 1:
            raise Killed
        return function(point, settings)

    function = module.measure
    expected = Measured(run.measure(name, segments, settings, schedule="whole"), declared(name).layout)
    monkeypatch.setattr(module, "measure", dying)
    with pytest.raises(Killed):
        run.measure(name, segments, settings)
    actual = Measured(run.measure(name, segments, settings), declared(name).layout)
    assert len(calls) == 5 + 1
    for dataset in actual.datasets:
        assert actual[dataset.name].tobytes() == expected[dataset.name].tobytes(), dataset.name


# --- what is not resumed


def edited(run: Run, folder: Path) -> Run:
    """The same run with a different history."""
    shutil.copytree(run.results, folder)
    other = Run(folder, run.settings)
    with changed(other.snapshots) as file:
        file["epoch_seconds"][...] = 0
        file["lr"][...] *= 2
    return other


OTHER = {
    "code": {"code": "another"},
    "config": {"config": "another"},
    "hessian": {"hessian": "another"},
    "schedule": {"schedule": "another"},
    "packages": {"packages": "others"},
    "device": {"device": "another"},
    "threads": {"torch_threads": "another"},
}


@pytest.mark.parametrize("other", [*OTHER, "snapshots", "needed", "points"])
def test_points_of_another_measurement_are_not_resumed(run, take, work, tmp_path, other):
    """None of them is resumed, and one note says so."""
    needed = take([[0, 3, 10, 12, 13, 18]], name="needed")
    stored = {"spectra": needed}
    changes: dict[str, Any] = {**OTHER.get(other, {}), "stored": stored}
    if other == "snapshots":
        changes["of"] = edited(run, tmp_path / "other")
    if other == "needed":
        changes["stored"] = {"spectra": take([[0, 3, 10, 12, 13, 18]], name="other", hessian="another")}
    segments = [SEGMENTS[0], [11, *SEGMENTS[1]], *SEGMENTS[2:]] if other == "points" else SEGMENTS
    with pytest.raises(Killed):
        take(SEGMENTS, Counting(4), stored=stored)
    progress, counting = Silent(), Counting()
    take(segments, counting, progress=progress.update, **changes)
    assert progress.lines[0] == (0, "starts again: what was kept is of other code, settings, inputs or packages")
    assert counting.calls == [0, 3, 10, 12, 13, 18]
    assert entries(work) == ["lock"]


def test_the_clock_and_the_commit_do_not_count(take):
    die(take, 4)
    counting = Counting()
    take(SEGMENTS, counting, created="another day", git="another")
    assert len(counting.calls) == COUNT - 4


# --- damage


@pytest.mark.parametrize("number", [1, 4])
def test_damaged_points_are_measured_again(take, whole, work, number):
    """From the start of the segment on if what was carried to the first of them is gone; one note says so."""
    die(take, 6)
    damage(work, "points", number)
    progress, counting = Silent(), Counting()
    assert contents(take(SEGMENTS, counting, progress=progress.update)) == whole
    goes_on_at = 4 if number >= 4 else 0
    verb = "goes on" if goes_on_at else "starts again"
    assert progress.lines[0] == (goes_on_at, f"{verb}: what was kept behind this point is damaged or cut short")
    assert len(counting.calls) == COUNT - goes_on_at


@pytest.mark.parametrize(("points", "goes_on_at"), [(3, 0), (5, 4), (6, 6), (8, 6)])
def test_carried_values_may_be_damaged(take, whole, work, points, goes_on_at):
    """The segments start at the points 0, 4 and 6."""
    die(take, points)
    damage(work, "carried", 0)
    counting = Counting()
    assert contents(take(SEGMENTS, counting)) == whole
    assert len(counting.calls) == COUNT - goes_on_at


def test_a_vector_that_is_a_value_and_is_carried_is_kept_once(take, work):
    def function(point: Point, settings: Settings) -> dict[str, Any]:
        if point.place == 2:
            raise Killed
        values = values_at(point, settings)
        if point.place:
            assert torch.equal(point.carried["first"], before[-1])
        before.append(torch.as_tensor(values["vectors"]).clone())
        point.carried |= {"first": before[-1]}
        return values

    before: list[torch.Tensor] = []
    with pytest.raises(Killed):
        take([[0, 3, 7]], function)
    assert opened(work).get("carried", 0).arrays == {}


# --- what may be carried


def carrying(**carried: Any) -> Callable[..., Any]:
    def function(point: Point, settings: Settings) -> dict[str, Any]:
        point.carried.update(carried)
        return values_at(point, settings)

    return function


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ([torch.zeros(2)], "list"),
        ((1, 2), "tuple"),
        ({"a": 1}, "dict"),
        (torch.zeros(2, dtype=torch.bfloat16), "Tensor of torch.bfloat16"),
        (torch.eye(2).to_sparse(), "Tensor of torch.float32"),
        (np.array([None]), "ndarray of object"),
        (np.zeros(2, dtype=[("a", "i4")]), "ndarray of [('a', '<i4')]"),
        (len, "builtin_function_or_method"),
    ],
)
def test_values_that_a_kill_would_lose_are_refused(take, tmp_path, value, kind):
    with pytest.raises(ValueError, match=r"^measure toy: carried\['start'\] is of type ") as caught:
        take([[0, 3]], carrying(start=value))
    assert f" is of type {kind}, which a kill would lose; carry tensors, arrays of numbers, numbers" in str(
        caught.value
    )
    assert not (tmp_path / "toy.h5").exists()


def test_names_of_carried_values_are_texts(take):
    def function(point: Point, settings: Settings) -> dict[str, Any]:
        point.carried[3] = 1.0  # type: ignore[index]
        return values_at(point, settings)

    with pytest.raises(ValueError, match=r"^measure toy: carried has the key 3, expected a text$"):
        take([[0, 3]], function)


def test_carried_values_survive_a_round_trip(take):
    """Types, shapes and bits, in the order of their names; and as a copy."""
    given = {
        "vector": torch.randn(7, requires_grad=True),
        "whole": torch.tensor([[1, 2]]),
        "flag": torch.tensor(True),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "number": np.float32(0.1),
        "count": 2**70,
        "real": float("nan"),
        "text": "\u03b7\n",
        "nothing": None,
    }
    seen = []

    def function(point: Point, settings: Settings) -> dict[str, Any]:
        seen.append(dict(point.carried))
        point.carried.update(given if point.place == 0 else {})
        return values_at(point, settings)

    take([[0, 3, 5]], function)
    for actual in seen[1:]:
        assert list(actual) == list(given)
        for name, value in given.items():
            if isinstance(value, torch.Tensor):
                assert actual[name].dtype == value.dtype
                assert torch.equal(actual[name], value)
                assert not actual[name].requires_grad
                assert actual[name].data_ptr() != value.data_ptr()
            else:
                assert np.asarray(actual[name]).dtype == np.asarray(value).dtype
                np.testing.assert_array_equal(actual[name], value)
