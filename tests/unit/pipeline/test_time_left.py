"""The estimated time left, with a clock that the test moves."""

import pytest

from sharpest.pipeline import time_left
from sharpest.pipeline.time_left import TimeLeft, Work


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


def jobs(*works: Work) -> TimeLeft:
    return TimeLeft(dict(enumerate(works)))


TRAIN, DRAW = Work("train", "", 10), Work("draw", "", 1)


def test_the_time_of_a_job_grows_with_its_size(clock):
    """100 updates took 20 s; 300 and 100 remain, and one figure like that of 2 s."""
    whole = jobs(Work("train", "", 100), DRAW, Work("train", "", 300), Work("train", "", 100), DRAW)
    run(whole, clock, 1, 2)
    assert run(whole, clock, 0, 20) == "all        2/5 jobs, 40 %, about 1 min 22 s left"


def test_each_measure_has_its_own_time_per_point(clock):
    whole = jobs(*[Work("measure", kind, points) for kind in ("spectra", "trace") for points in (10, 20)])
    run(whole, clock, 0, 10)
    run(whole, clock, 2, 30)
    assert whole._left(clock.now) == pytest.approx(20 + 60)


def test_an_unseen_kind_counts_as_the_others_of_its_rule(clock):
    whole = jobs(DRAW, Work("measure", "spectra", 10), Work("measure", "trace", 20))
    run(whole, clock, 0, 1)
    run(whole, clock, 1, 30)
    assert whole._left(clock.now) == pytest.approx(60)


def test_an_unseen_rule_counts_as_the_mean_of_all(clock):
    whole = jobs(TRAIN, Work("measure", "spectra", 500), Work("measure", "trace", 3))
    assert run(whole, clock, 0, 30).endswith("about 1 min 00 s left")


def test_two_parallel_jobs_halve_the_time(clock):
    whole = jobs(*[TRAIN] * 6)
    whole.started([0, 1])
    clock.now += 20
    whole.finished(0)
    whole.started([2, 3])
    clock.now += 20
    whole.finished(1)
    whole.finished(2)
    # three finished in 80 s of work and one has run for 20, within 40 s
    assert whole._left(clock.now) == pytest.approx((3 * 80 / 3 - 20) / (100 / 40))


def test_an_overdue_job_has_no_negative_time_left(clock):
    whole = jobs(TRAIN, TRAIN, DRAW)
    run(whole, clock, 2, 10)
    run(whole, clock, 0, 10)
    whole.started([1])
    clock.now += 60
    assert whole._left(clock.now) == 0


def test_lines_are_seconds_apart_and_the_last_job_needs_none(clock):
    whole = jobs(*[DRAW] * 20)
    lines = [run(whole, clock, job, 3) for job in range(20)]
    assert [job for job, line in enumerate(lines) if line] == [3, 7, 11, 15]
    assert lines[-1] is None
