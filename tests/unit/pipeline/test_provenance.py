"""The commit recorded in results."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with the package, one file of the configuration and one of the docs."""
    for name in ("__init__.py", "pipeline/__init__.py", "pipeline/provenance.py"):
        path = tmp_path / "src/sharpest" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "src/sharpest" / name, path)
    for name in ("config/config.yaml", "docs/page.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("as committed\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    return tmp_path


def commit_in(checkout: Path) -> str:
    code = "from sharpest.pipeline.provenance import git_commit; print(git_commit())"
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_mark_shows_that_code_or_configuration_differ(checkout: Path) -> None:
    """Not that docs differ, or that a file of the configuration is not yet added."""
    head = git(checkout, "rev-parse", "HEAD")
    assert commit_in(checkout) == head
    (checkout / "docs/page.md").write_text("edited\n")
    (checkout / "config/new.yaml").write_text("not yet added\n")
    assert commit_in(checkout) == head
    (checkout / "config/config.yaml").write_text("edited\n")
    assert commit_in(checkout) == head + "+"
