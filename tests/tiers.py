"""Which cases of a parametrised test belong to the fast suite."""

from collections.abc import Iterable
from typing import Any

import pytest


def fast(cases: Iterable[str], *chosen: str) -> list[Any]:
    """The cases as parameters, all of them slow but the chosen ones.

    The fast suite keeps a case of each mechanism; the slow tests take all nets, optimizers and kinds of runs.
    """
    cases = list(cases)
    assert set(chosen) <= set(cases), f"no such case: {set(chosen) - set(cases)}"
    return [pytest.param(case, marks=[pytest.mark.slow] * (case not in chosen)) for case in cases]
