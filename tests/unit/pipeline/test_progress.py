"""Lines of progress, with a clock that the test moves."""

import io

import pytest

from sharpest.pipeline.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("sharpest.pipeline.progress.time", clock)
    return clock


@pytest.fixture
def lines(clock):
    """The progress of a job of 200 units, and its output."""
    stream = io.StringIO()
    return Progress("train", "scnn-c10", 200, "iterations", stream), lambda: stream.getvalue().splitlines()


def test_a_line_shows_progress_and_time_left(clock, lines):
    progress, printed = lines
    clock.now += 3  # loading does not count as work
    progress.update(0)
    clock.now += 10
    progress.update(50, "loss 0.5")
    assert printed() == ["train      scnn-c10: 50/200 iterations, 25 %, 30 s left (loss 0.5)"]


def test_a_resumed_job_counts_its_own_speed(clock, lines):
    """Resumed at 150: 20 units in 10 seconds leave 15 seconds for the last 30 units."""
    progress, printed = lines
    progress.update(150)
    clock.now += 10
    progress.update(170)
    assert printed() == ["train      scnn-c10: 170/200 iterations, 85 %, 15 s left"]


def test_lines_are_five_seconds_apart(clock, lines):
    progress, printed = lines
    progress.update(0)
    for done in range(1, 13):
        clock.now += 1
        progress.update(done)
    assert [line.split("/")[0].split()[-1] for line in printed()] == ["5", "10"]


def test_a_short_job_prints_that_it_is_done(clock, lines):
    progress, printed = lines
    progress.update(0)
    clock.now += 4.4
    progress.update(200)
    progress.finish("3 points")
    assert printed() == ["train      scnn-c10: done in 4 s (3 points)"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (61.6, "1 min 02 s"), (3599, "59 min 59 s"),
     (3600, "1 h 00 min"), (90061, "25 h 01 min")],
)  # fmt: skip
def test_times_are_readable(clock, lines, seconds, text):
    progress, printed = lines
    progress.update(0)
    clock.now += seconds
    progress.finish()
    assert printed() == [f"train      scnn-c10: done in {text}"]


def test_no_line_before_anything_is_done(clock, lines):
    """There is no speed yet to estimate the time left."""
    progress, printed = lines
    progress.update(0)
    clock.now += 100
    progress.update(0)
    assert printed() == []


def test_lines_go_to_the_terminal_by_default(clock, capsys):
    Progress("train", "scnn-c10", 2, "iterations").finish()
    assert capsys.readouterr().err == "train      scnn-c10: done in 0 s\n"


def test_a_resumed_job_says_so_at_once(clock, lines):
    """And its time left is based on its own work."""
    progress, printed = lines
    progress.update(100, "goes on")
    assert printed() == ["train      scnn-c10: 100/200 iterations (goes on)"]
    clock.now += 10
    progress.update(150)
    assert printed()[1:] == ["train      scnn-c10: 150/200 iterations, 75 %, 10 s left"]
