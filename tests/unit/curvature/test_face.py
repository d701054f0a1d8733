"""The exports of the package: complete, refused if unknown, and explained by examples that run."""

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest
import torch

import sharpest.curvature as face

pytestmark = pytest.mark.core

torch.set_num_threads(1)  # small examples do not profit from more threads
SOURCE = Path(face.__file__)
PAGE = Path(__file__).parents[3] / "docs/curvature.md"
EXAMPLES = {
    example.name: example
    for path in SOURCE.parent.glob("*.py")
    for example in doctest.DocTestFinder().find(importlib.import_module(f"sharpest.curvature.{path.stem}"))
    if example.examples
}


def test_each_name_is_that_of_its_module_and_has_an_example() -> None:
    """Type checkers read the imports, Python the table: they agree."""
    nodes = [node for node in ast.walk(ast.parse(SOURCE.read_text())) if isinstance(node, ast.ImportFrom)]
    homes = {alias.name: node.module for node in nodes for alias in node.names}
    for name in face.__all__:
        assert getattr(face, name) is getattr(importlib.import_module(homes[name]), name)
        assert name in dir(face)
        assert f"{homes[name]}.{name}" in EXAMPLES
    with pytest.raises(AttributeError, match=r"module 'sharpest\.curvature' has no attribute 'sharpness'"):
        _ = face.sharpness
    with pytest.raises(ImportError, match="sharpness"):
        from sharpest.curvature import sharpness  # noqa: F401


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_example_runs(name: str) -> None:
    assert doctest.DocTestRunner().run(EXAMPLES[name]).failed == 0  # differences are printed


def test_the_examples_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(block, names)
    output = capsys.readouterr().out
    assert re.search(r"lambda_1 \d+\.\d+ \+- \d\.\d+", output)
    assert re.search(r"trace \d+\.?\d* \+- \d+", output)
    assert re.search(r"^4 \d+\.\d+ \d+\.\d+ \+- ", output, re.MULTILINE)  # a block
    assert "central because the loss is not twice differentiable" in output
    assert names["pairs"].converged.all()
