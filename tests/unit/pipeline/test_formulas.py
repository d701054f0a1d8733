"""Formulas that matplotlib cannot draw are refused at the start."""

import subprocess
import sys

import pytest
from pydantic import BaseModel

from sharpest.errors import ConfigError
from sharpest.pipeline.preconditions import check_formulas


class Study(BaseModel):
    caption: str = r"not drawn: $\foo$"
    rows: list[dict[str, str]]


@pytest.mark.parametrize("text", [r"$\lambda_1$ of $K$", r"5 \$", r"\foo", "plain", "", r"$\mathcal{L}^{(i)}$ in %"])
def test_formulas_that_can_be_drawn(text: str) -> None:
    check_formulas({"fig01": Study(rows=[{"label": text}])})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (r"$\foo$", r"Unknown symbol: \foo"),
        (r"a $x^$", "Expected"),
        (r"$\frac{1}$", "Expected"),
        (r"${$ b", "Expected"),
    ],
)
def test_formulas_that_cannot_be_drawn(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=r"study fig01: rows\.1\.label") as raised:
        check_formulas({"fig01": Study(rows=[{"label": "plain"}, {"label": text}])})
    message = str(raised.value)
    assert repr(text) in message
    assert f"({reason}" in message
    assert len(message.splitlines()) == 1


def test_planning_imports_matplotlib_only_for_a_formula() -> None:
    code = """
import sys
from sharpest.config.project import load_project
from sharpest.config.reading import read_keys
from pathlib import Path
from sharpest.pipeline.preconditions import check_formulas
project = load_project(read_keys(Path("config/config.yaml")), Path("config"))
check_formulas({name: project.study(name) for name in project.figures})
sys.exit("matplotlib" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
