"""The schedule of measurements."""

import pytest
import torch
from loops import cross_entropy, probe, smooth

import sharpest
from sharpest.watch.beginning import Schedule

pytestmark = pytest.mark.core

torch.set_num_threads(1)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("cost", [0.5, 7.0])
def test_measuring_stays_below_the_budget(cost: float) -> None:
    """For a training whose updates take one second: at most a tenth of it, and not much less."""
    clock = Clock()
    schedule, spent, steps = Schedule(1, None, 0.1, clock), cost, []
    clock.now += cost
    schedule.spent(cost)  # the start
    for step in range(1, 3001):
        clock.now += 1
        if schedule.due(step):
            clock.now += cost
            spent += cost
            schedule.spent(cost)
            steps.append(step)
            assert spent <= 0.1 * step
    assert spent > 0.09 * 3000
    assert steps[0] == 20 * cost


def test_a_stretched_interval_keeps_to_multiples() -> None:
    clock = Clock()
    schedule = Schedule(10, None, 0.5, clock)
    clock.now += 12
    schedule.spent(12)
    due = []
    for step in range(1, 101):
        clock.now += 1
        if schedule.due(step):
            due.append(step)
            clock.now += 12
            schedule.spent(12)
    assert due == [50, 80, 100]


def test_every_and_at() -> None:
    net = smooth()
    monitors = [
        sharpest.watch(net, cross_entropy, probe(), **when)
        for when in ({"every": 3}, {"at": [0, 2, 7]}, {"at": [5]}, {}, {"every": 2, "start": 5})
    ]
    for _ in range(8):
        for monitor in monitors:
            monitor.step()
    steps = [monitor.values["step"].tolist() for monitor in monitors]
    assert steps == [[0, 3, 6], [0, 2, 7], [5], [0], [5, 6, 8, 10, 12]]


def test_step_returns_the_measurement_and_log_receives_it() -> None:
    logged: list[tuple[int, dict[str, float]]] = []
    monitor = sharpest.watch(
        smooth(), cross_entropy, probe(), every=2, log=lambda step, numbers: logged.append((step, dict(numbers)))
    )
    assert [monitor.step() is None for _ in range(4)] == [True, False, True, False]
    assert [step for step, _ in logged] == [0, 2, 4]
    assert logged[-1][1] == monitor.last
    assert all(type(number) is float for number in monitor.last.values())


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({"every": 2, "at": [1]}, "pass one of them"),
        ({"at": [1], "budget": 0.1}, "budget changes every"),
        ({"every": 0}, "every 0 must be at least 1"),
        ({"budget": 10}, "budget 10 must lie between 0 and 1"),
    ],
)
def test_contradictory_arguments_are_refused(when: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sharpest.watch(smooth(), cross_entropy, probe(), **when)
