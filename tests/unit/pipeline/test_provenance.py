"""The commit recorded in results."""

import subprocess
from pathlib import Path

import pytest

from sharpest.pipeline import provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one file of the package, of the configuration, and of the docs."""
    for name in ("src/sharpest/pipeline/provenance.py", "config/config.yaml", "docs/page.md"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("as committed\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    return tmp_path


def test_a_mark_shows_that_code_or_configuration_differ(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that docs differ, or that a file of the configuration is not yet added."""
    monkeypatch.setattr(provenance, "__file__", str(checkout / "src/sharpest/pipeline/provenance.py"))
    head = git(checkout, "rev-parse", "HEAD")
    assert provenance.git_commit() == head
    (checkout / "docs/page.md").write_text("edited\n")
    (checkout / "config/new.yaml").write_text("not yet added\n")
    assert provenance.git_commit() == head
    (checkout / "config/config.yaml").write_text("edited\n")
    assert provenance.git_commit() == head + "+"
