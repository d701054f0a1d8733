"""Divergence of a run is worded in one place only."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

import sharpest
from sharpest.results import stored
from sharpest.results.stored import divergence

PACKAGE = Path(sharpest.__file__).parent


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


def texts(source: str) -> Iterator[str]:
    """All texts of a module except docstrings."""
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_no_other_module_words_it() -> None:
    """An attribute may be called diverged; only a longer text would word it."""
    wording = [
        path
        for path in PACKAGE.rglob("*.py")
        if any("diverged " in text for text in texts(path.read_text(encoding="utf-8")))
    ]
    assert wording == [Path(stored.__file__)]
