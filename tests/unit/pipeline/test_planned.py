"""Jobs import the package from this checkout."""

import os
from pathlib import Path

import pytest

from sharpest.pipeline.planned import lend_package


@pytest.mark.parametrize(("before", "after"), [("", "src"), ("other", f"src{os.pathsep}other")])
def test_the_package_of_this_checkout_comes_first(monkeypatch: pytest.MonkeyPatch, before: str, after: str) -> None:
    monkeypatch.setenv("PYTHONPATH", before)
    lend_package(Path("src"))
    assert os.environ["PYTHONPATH"] == after


def test_without_a_path_there_is_only_this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "restored after the test")
    monkeypatch.delenv("PYTHONPATH")
    lend_package(Path("src"))
    assert os.environ["PYTHONPATH"] == "src"
