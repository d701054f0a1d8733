"""Settings of all tests: one thread each, since they share the cores; hypothesis without a deadline (first calls into
torch are slow), and with a fixed seed if CI is set. ``--core`` selects the tests of an installation without the
pipeline.
"""

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

_MARK = "pytestmark = pytest.mark.core\n"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--core", action="store_true", help="only files marked as tests of the core")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip the files of other tests without importing them: they need packages that the core does not install."""
    if not config.getoption("core"):
        return None
    files = [collection_path] if collection_path.is_file() else collection_path.rglob("test_*.py")
    return None if any(_MARK in file.read_text(encoding="utf-8") for file in files) else True


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a module with some classes in the place of a library."""

    def put(*paths: str, **classes: type) -> None:
        module = ModuleType(paths[0])
        vars(module).update(classes)
        for path in paths:
            monkeypatch.setitem(sys.modules, path, module)
        name = f"sharpest.integrations.{paths[0]}"
        # what is imported from now on has the stand-in as its base, and goes with it
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]

    return put
