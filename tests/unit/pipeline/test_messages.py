"""Messages beside Snakemake's own: progress, the time left, files that are not current; tests move the clock."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import h5py
import pytest
from snakemake.cli import get_argument_parser
from snakemake.scheduling.job_scheduler import JobRateLimiter
from snakemake.settings.types import MaxJobsPerTimespan

from sharpest.pipeline.job import Progress, clock
from sharpest.pipeline.messages import TimeLeft, Work, lift_default_limit, made_of_others, other_settings
from sharpest.results.paths import Paths
from sharpest.results.record import write_record
from sharpest.results.whole import digest_of


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in ("job", "messages"):
        monkeypatch.setattr(f"sharpest.pipeline.{module}.time", made)
    return made


# --- progress of a job


def progress_of(calls: list[tuple[float, int, str]], moved: Clock) -> list[str]:
    """The lines of a job of 200 updates: at each call, seconds have passed and updates are done."""
    stream = io.StringIO()
    progress = Progress("train", "scnn-c10", 200, "iterations", stream)
    for seconds, done, note in calls:
        moved.now += seconds
        progress.update(done, note)
    return [line.removeprefix("train      scnn-c10: ") for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("calls", "lines"),
    [
        # loading does not count as work
        ([(3, 0, ""), (10, 50, "loss 0.5")], ["50/200 iterations, 25 %, 30 s left (loss 0.5)"]),
        # a resumed job says so at once, and its time left is based on its own work
        ([(0, 150, ""), (10, 170, "")], ["170/200 iterations, 85 %, 15 s left"]),
        (
            [(0, 100, "goes on"), (10, 150, "")],
            ["100/200 iterations (goes on)", "150/200 iterations, 75 %, 10 s left"],
        ),
        # nothing is done that would show the speed
        ([(0, 0, ""), (100, 0, "")], []),
        # lines are five seconds apart
        ([(0, 0, ""), *[(1, done, "") for done in range(1, 13)]],
         ["5/200 iterations, 2 %, 3 min 15 s left", "10/200 iterations, 5 %, 3 min 10 s left"]),
    ],
)  # fmt: skip
def test_a_line_shows_progress_and_time_left(
    calls: list[tuple[float, int, str]], lines: list[str], moved: Clock
) -> None:
    assert progress_of(calls, moved) == lines


def test_the_last_line_goes_to_the_terminal(moved: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("train", "scnn-c10", 2, "iterations")
    moved.now += 4.4
    progress.finish("3 points")
    assert capsys.readouterr().err == "train      scnn-c10: done in 4 s (3 points)\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (61.6, "1 min 02 s"), (3599, "59 min 59 s"),
     (3600, "1 h 00 min"), (90061, "25 h 01 min")],
)  # fmt: skip
def test_times_are_readable(seconds: float, text: str) -> None:
    assert clock(seconds) == text


# --- the time left for the workflow

TRAIN, DRAW = Work("train", "", 10), Work("draw", "", 1)


def run(whole: TimeLeft, moved: Clock, job: int, seconds: float) -> str | None:
    """One job from start to end, with nothing in parallel."""
    whole.started([job])
    moved.now += seconds
    return whole.finished(job)


def jobs(*works: Work) -> TimeLeft:
    return TimeLeft(dict(enumerate(works)))


@pytest.mark.parametrize(
    ("works", "runs", "left"),
    [
        # 100 updates took 20 s; 300 and 100 remain, and one figure like that of 2 s
        ([Work("train", "", 100), DRAW, Work("train", "", 300), Work("train", "", 100), DRAW], [(1, 2), (0, 20)], 82),
        # each measure has its own time per point
        ([Work("measure", kind, n) for kind in ("spectra", "trace") for n in (10, 20)], [(0, 10), (2, 30)], 80),
        # an unseen kind counts as the others of its rule, an unseen rule as the mean of all
        ([DRAW, Work("measure", "spectra", 10), Work("measure", "trace", 20)], [(0, 1), (1, 30)], 60),
        ([TRAIN, Work("measure", "spectra", 500), Work("measure", "trace", 3)], [(0, 30)], 60),
    ],
)
def test_the_time_of_a_job_grows_with_its_size(
    works: list[Work], runs: list[tuple[int, float]], left: float, moved: Clock
) -> None:
    whole = jobs(*works)
    for job, seconds in runs:
        run(whole, moved, job, seconds)
    assert whole._left(moved.now) == pytest.approx(left)


def test_two_parallel_jobs_halve_the_time(moved: Clock) -> None:
    whole = jobs(*[TRAIN] * 6)
    whole.started([0, 1])
    moved.now += 20
    whole.finished(0)
    whole.started([2, 3])
    moved.now += 20
    whole.finished(1)
    whole.finished(2)
    # three finished in 80 s of work and one has run for 20, within 40 s
    assert whole._left(moved.now) == pytest.approx((3 * 80 / 3 - 20) / (100 / 40))


def test_an_overdue_job_has_no_negative_time_left(moved: Clock) -> None:
    whole = jobs(TRAIN, TRAIN, DRAW)
    run(whole, moved, 2, 10)
    run(whole, moved, 0, 10)
    whole.started([1])
    moved.now += 60
    assert whole._left(moved.now) == 0


def test_lines_are_seconds_apart_and_the_last_job_needs_none(moved: Clock) -> None:
    whole = jobs(*[DRAW] * 20)
    lines = [run(whole, moved, job, 3) for job in range(20)]
    assert [job for job, line in enumerate(lines) if line] == [3, 7, 11, 15]
    assert lines[3] == "all        4/20 jobs, 20 %, about 48 s left"


@pytest.mark.parametrize(("limit", "is_lifted"), [("default", True), ("10/1s", False), ("100/1m", False), (None, True)])
def test_only_the_default_limit_of_the_scheduler_is_lifted(limit: str | None, is_lifted: bool) -> None:
    if limit == "default":
        limit = get_argument_parser().get_default("max_jobs_per_timespan")
    limiter = limit and JobRateLimiter(MaxJobsPerTimespan.parse_choice(limit))
    scheduler = SimpleNamespace(job_rate_limiter=limiter)
    lift_default_limit(scheduler)
    assert scheduler.job_rate_limiter is (None if is_lifted else limiter)


# --- finished files that are not what Snakemake takes them for


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    path = tmp_path / "grid.h5"
    settings = {"run": {"lr": 0.1, "widths": [2, 4]}, "settings": {"k": 3}, "schedule": "grid"}
    with h5py.File(path, "w") as file:
        file.attrs["config"], file.attrs["planned_points"] = json.dumps(settings), 4
    return path


@pytest.mark.parametrize(
    ("settings", "points", "words"),
    [
        ({"k": 3}, 4, ""),
        ({"k": 4}, 4, "(settings.k 3 -> 4)"),
        ({"k": 3}, 5, "(points 4 -> 5)"),
        ({"k": 3, "new": 1}, 4, "settings.new 1 is new"),
    ],
)
def test_each_difference_is_named(measured: Path, settings: dict[str, int], points: int, words: str) -> None:
    line = other_settings(measured, {"run": {"lr": 0.1, "widths": (2, 4)}, "settings": settings}, points)
    if not words:
        assert line == ""
    else:
        assert line.startswith(f"{measured}: was made with other settings than the configuration has now")
        assert words in line
        assert "delete it" in line


def test_a_damaged_file_is_left_to_its_readers(tmp_path: Path) -> None:
    for content in (b"", b"not HDF5"):
        (tmp_path / "a.h5").write_bytes(content)
        assert other_settings(tmp_path / "a.h5", {}, 4) == ""
    assert other_settings(tmp_path / "missing.h5", {}) == ""


def test_a_drawing_of_another_source_is_named_with_its_command(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "tiny")
    source, drawn = paths.history("a"), paths.figure("fig01", "csv")
    for path in (source, drawn):
        path.parent.mkdir(parents=True)
        path.write_text("1\n")
    write_record(paths, [drawn], {paths.place(source): digest_of(source)})
    record = paths.made(drawn)
    assert made_of_others(record, paths) == ""
    source.write_text("2\n")
    line = made_of_others(record, paths)
    assert line.startswith(f"{drawn}: was made from another {source} than is there now; make it again with: snakemake ")
    source.unlink()  # a shared folder may lack it
    assert made_of_others(record, paths) == ""
    record.write_text("{")
    assert made_of_others(record, paths) == ""
