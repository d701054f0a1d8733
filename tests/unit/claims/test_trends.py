"""Each trend of the ledger on a curve that has it, and on a curve that has not."""

import numpy as np
import pytest

from sharpest.claims.ledger import TRENDS
from sharpest.claims.shapes import Series, trend

TIME = np.linspace(0, 1, 60)
UP, HUMP, PLATEAU = TIME, np.sin(np.pi * TIME), np.minimum(3 * TIME, 1)
WAVES = np.where(TIME < 0.2, 5 * TIME, 1 - 0.4 * (1 - np.cos(25 * (TIME - 0.2))))
LATE = np.where(TIME < 0.2, 5 * TIME, 1 - TIME)  # late enough, though it falls most of the time
SPIKE = np.where(TIME < 0.5, 2 * TIME, 0.1)  # a hump without a steady fall
CRASH = np.where((TIME > 0.5) & (TIME < 0.7), 0.1, TIME)
BLIP = np.where(np.arange(60) == 40, 0.0, TIME)
HAS = {
    "rises": (UP, HUMP),
    "rises-for-long": (LATE, -UP),
    "rises-then-settles": (PLATEAU, UP),
    "falls": (-UP, HUMP),
    "rises-then-falls": (HUMP, PLATEAU),
    "rises-then-falls-steadily": (HUMP, SPIKE),
    "rises-then-oscillates": (WAVES, HUMP),
}


def number(name: str, curve: np.ndarray, sudden: bool = False) -> tuple[float, float, float]:
    rule = trend(name, sudden)
    return rule.bounds[0], rule.statistic(Series(TIME, curve[:, None])), rule.bounds[1]


def test_every_trend_of_the_ledger_has_a_rule() -> None:
    assert set(HAS) == set(TRENDS)


@pytest.mark.parametrize("name", TRENDS)
def test_curves_with_and_without_the_trend(name: str) -> None:
    has, has_not = HAS[name]
    low, value, high = number(name, has)
    assert low <= value <= high
    low, value, high = number(name, has_not)
    assert not low <= value <= high


def test_a_hump_need_not_fall_steadily() -> None:
    low, value, _ = number("rises-then-falls", SPIKE)
    assert value >= low


def test_a_sudden_fall_may_recover_but_needs_more_than_a_point() -> None:
    low, value, _ = number("rises-then-falls", CRASH, sudden=True)
    assert value >= low
    assert number("rises-then-falls", CRASH)[1] < low
    assert number("rises-then-falls", BLIP, sudden=True)[1] < low
