"""The page on the engine, run from top to bottom."""

import re
from pathlib import Path

import pytest
import torch

from sharpest import curvature

pytestmark = pytest.mark.core

torch.set_num_threads(1)  # small examples do not profit from more threads
PAGE = Path(__file__).parents[3] / "docs/curvature.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_examples_run(capsys) -> None:
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(block, names)
    output = capsys.readouterr().out
    assert re.search(r"lambda_1 \d+\.\d+ \+- \d\.\d+", output)
    assert re.search(r"trace \d+\.?\d* \+- \d+", output)
    assert "0.weight" in output
    assert names["pairs"].converged.all()


def test_the_page_begins_with_six_lines_that_run_by_themselves(capsys) -> None:
    assert PAGE.read_text().split("\n\n")[1].startswith("```python")
    assert len([line for line in BLOCKS[0].splitlines() if line]) == 6
    exec(BLOCKS[0], {})
    assert len(re.findall(r"-?\d+\.\d+", capsys.readouterr().out)) == 5


@pytest.mark.parametrize("name", curvature.__all__)
def test_the_page_names_every_export(name: str) -> None:
    introduction = PAGE.read_text().partition("\n## ")[0]
    assert re.search(rf"`[^`]*\b{name}\b[^`]*`", introduction)
