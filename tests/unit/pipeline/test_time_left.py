"""The estimated time left, with a clock that the test moves."""

import pytest

from sharpest.pipeline import time_left
from sharpest.pipeline.time_left import TimeLeft


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time_left, "time", made)
    return made


def run(whole: TimeLeft, clock: Clock, job: int, seconds: float) -> str | None:
    """One job from start to end, with nothing in parallel."""
    whole.started([job])
    clock.now += seconds
    return whole.finished(job)


def test_jobs_of_one_kind_are_expected_to_take_equally_long(clock):
    """Two training jobs of 20 s are done; two more remain, and one figure of 2 s."""
    kinds = dict.fromkeys(range(4), "train") | {4: "draw", 5: "draw"}
    whole = TimeLeft(kinds)
    run(whole, clock, 0, 20)
    run(whole, clock, 4, 2)
    assert run(whole, clock, 1, 20) == "all        3/6 jobs, 50 %, about 42 s left"


def test_an_unseen_kind_counts_as_the_mean_of_all(clock):
    whole = TimeLeft({0: "train", 1: "measure", 2: "measure"})
    assert run(whole, clock, 0, 30).endswith("about 1 min 00 s left")


def test_two_parallel_jobs_halve_the_time(clock):
    whole = TimeLeft(dict.fromkeys(range(6), "train"))
    whole.started([0, 1])
    clock.now += 20
    whole.finished(0)
    whole.started([2, 3])
    clock.now += 20
    whole.finished(1)
    whole.finished(2)
    # three finished in 100 s of work and one has run for 20, within 40 s
    assert whole._left(clock.now) == pytest.approx((3 * 80 / 3 - 20) / (100 / 40))


def test_an_overdue_job_has_no_negative_time_left(clock):
    whole = TimeLeft(dict.fromkeys(range(2), "train") | {2: "draw"})
    run(whole, clock, 2, 10)
    run(whole, clock, 0, 10)
    whole.started([1])
    clock.now += 60
    assert whole._left(clock.now) == 0


def test_lines_are_seconds_apart_and_the_last_job_needs_none(clock):
    whole = TimeLeft(dict.fromkeys(range(20), "draw"))
    lines = [run(whole, clock, job, 3) for job in range(20)]
    assert [job for job, line in enumerate(lines) if line] == [3, 7, 11, 15]
    assert lines[-1] is None
