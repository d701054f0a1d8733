"""Test accuracies of two nets, compared on each test example if both answer the same ones."""

import math
from typing import Any

import numpy as np
import pytest

from .conftest import made_claim, of_seeds

FIRST, SECOND = (
    of_seeds(f"r32-c10-{middle}-plat-s777", (1001, 1002)) for middle in ("nsgd-lr0.01-S128-g0.01-K5", "sgd-lr0.01-S128")
)


def answers(count: int, before: int) -> np.ndarray:
    """(2, 100) for the best epoch and the last: the given numbers of right answers, after the wrong ones."""
    return np.tile((np.arange(100) >= before) & (np.arange(100) < before + count), (2, 1))


def write(folder: Any, datasets: tuple[str, str] = ("digits", "digits")) -> None:
    """70 right answers against 60, of which 55 on the same examples: 15 and 5 differ."""
    for runs, correct, dataset in ((FIRST, answers(70, 0), datasets[0]), (SECOND, answers(60, 15), datasets[1])):
        for run in runs:
            folder.evaluations(run, dataset=dataset, test_accuracy=correct.mean(axis=1), test_correct=correct)


def test_the_same_examples_are_compared_one_by_one(folder: Any, judged: Any) -> None:
    """Both seeds agree, so the error is that of the examples, computed by hand."""
    write(folder)
    (row,) = judged(made_claim("test_acc_diff", "range", "-1..1", FIRST + SECOND))[0].to_dict("records")
    assert row["value"] == pytest.approx(10)
    of_one = 100 * math.sqrt((15 + 5 - 10**2 / 100) / (100 * 99))
    assert row["error"] == pytest.approx(of_one / math.sqrt(2))
    assert "one by one" not in row["reason"]


def test_different_examples_are_not_compared_and_the_reason_says_so(folder: Any, judged: Any) -> None:
    write(folder, ("digits", "letters"))
    (row,) = judged(made_claim("test_acc_diff", "range", "-1..1", FIRST + SECOND))[0].to_dict("records")
    assert row["value"] == pytest.approx(10)
    of_one = math.sqrt(70 * 30 / 100 + 60 * 40 / 100)  # as accuracies on 100 examples
    assert row["error"] == pytest.approx(of_one / math.sqrt(2), rel=0.15)
    assert row["reason"].endswith("the test sets differ, so examples are not compared one by one")


def test_an_order_of_accuracies_is_compared_alike(folder: Any, judged: Any) -> None:
    write(folder)
    (row,) = judged(made_claim("test_acc", "order", "0.01>1.0", FIRST + SECOND))[0].to_dict("records")
    assert row["error"] == pytest.approx(100 * math.sqrt((15 + 5 - 1) / (100 * 99)) / math.sqrt(2))
    assert (row["verdict"], row["as_claimed"]) == ("inconclusive", "yes")  # two seeds give one degree of freedom
