"""The exports of the package, and that importing one name loads no other module."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import sharpest.curvature as face
from sharpest.pipeline.fingerprint import import_closure

SOURCE = Path(face.__file__).read_text()


@pytest.mark.parametrize("name", face.__all__)
def test_each_name_is_that_of_its_module(name: str) -> None:
    """Type checkers read the imports, Python the table: they agree."""
    homes = {
        alias.name: node.module
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("sharpest.")
        for alias in node.names
    }
    assert getattr(face, name) is getattr(importlib.import_module(homes[name]), name)
    assert name in dir(face)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match=r"module 'sharpest\.curvature' has no attribute 'sharpness'"):
        _ = face.sharpness
    with pytest.raises(ImportError, match="sharpness"):
        from sharpest.curvature import sharpness  # noqa: F401


def imported_by(statement: str) -> set[str]:
    """Loaded modules of this package, and torch if it is loaded."""
    code = f"import sys; {statement}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name for name in run.stdout.split() if name == "torch" or name.startswith("sharpest")}


def test_names_are_imported_on_demand() -> None:
    assert imported_by("import sharpest.curvature") == {"sharpest", "sharpest.curvature"}
    assert "torch" not in imported_by("import sharpest.curvature.sizes")
    for_hessian = imported_by("from sharpest.curvature import Hessian")
    assert "sharpest.curvature.hessian" in for_hessian
    assert not {"sharpest.curvature.stochastic", "sharpest.curvature.lanczos"} & for_hessian


def test_an_edit_of_the_estimates_leaves_spectra_as_they_are() -> None:
    assert "sharpest.curvature.stochastic" not in import_closure("sharpest.trajectory.eigenpairs")
    assert "sharpest.curvature.stochastic" in import_closure("sharpest.measures.evaluations.measure")


def test_the_engine_imports_errors_only() -> None:
    for path in Path(face.__file__).parent.glob("*.py"):
        modules = import_closure(f"sharpest.curvature.{path.stem}".removesuffix(".__init__"))
        beyond = {name for name in modules if not name.startswith("sharpest.curvature")}
        assert beyond <= {"sharpest.errors"}, path.name
