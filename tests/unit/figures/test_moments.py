"""Chosen moments as rows of the measurements."""

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from sharpest.config.studies import Moment, moment_name
from sharpest.figures.moments import moment_label, row_at

EPOCH, LAMBDA = np.array([2.0, 3.0, 6.0, 10.0]), np.array([1.0, 7.0, 3.0, 2.0])


@pytest.mark.parametrize(
    ("moment", "row"), [("start", 0), ("peak", 1), ("end", 3), (0.0, 0), (0.3, 1), (0.4, 2), (1.0, 3)]
)
def test_rows(moment: Any, row: int) -> None:
    """Fractions of the measured time, not of the points."""
    assert row_at(TypeAdapter(Moment).validate_python(moment), EPOCH, LAMBDA) == row


@pytest.mark.parametrize("wrong", ["middle", -0.1, 1.1])
def test_other_words_are_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Moment).validate_python(wrong)


def test_names() -> None:
    assert moment_name(0.5) == "50 %"
    assert moment_label("peak", [3.0, 3.0]) == "peak (epoch 3)"
    assert moment_label("end", [10.0, 4.0]) == "end (epochs 4 to 10)"
    assert moment_label("end", []) == "end"
