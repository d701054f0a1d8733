"""The words for a run that diverged."""

from typing import Literal

import pytest

from sharpest.results.stored import divergence


@pytest.mark.parametrize(
    ("time", "unit", "text"),
    [
        (None, "epoch", ""),
        (0.0, "epoch", "diverged at epoch 0"),
        (3.14159, "epoch", "diverged at epoch 3.14"),
        (None, "iteration", ""),
        (0, "iteration", "diverged at iteration 0"),
        (12345, "iteration", "diverged at iteration 12,345"),
    ],
)
def test_wording(time: float | None, unit: Literal["epoch", "iteration"], text: str) -> None:
    assert divergence(time, unit) == text
