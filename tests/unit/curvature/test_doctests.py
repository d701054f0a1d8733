"""The examples in docstrings, each run separately."""

import doctest
import importlib
from pathlib import Path

import pytest
import torch

import sharpest.curvature as face

pytestmark = pytest.mark.core

torch.set_num_threads(1)  # small examples do not profit from more threads
MODULES = sorted(path.stem for path in Path(face.__file__).parent.glob("*.py") if path.stem != "__init__")
EXAMPLES = {
    example.name: example
    for module in MODULES
    for example in doctest.DocTestFinder().find(importlib.import_module(f"sharpest.curvature.{module}"))
    if example.examples
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_runs(name: str) -> None:
    results = doctest.DocTestRunner().run(EXAMPLES[name])
    assert results.attempted > 0
    assert results.failed == 0  # differences are printed


@pytest.mark.parametrize("name", [*face.__all__, "Hessian.of", "Hessian.block", "Hessian.as_scipy"])
def test_each_name_has_an_example(name: str) -> None:
    assert f"{getattr(face, name.partition('.')[0]).__module__}.{name}" in EXAMPLES
