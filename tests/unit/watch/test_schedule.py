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
