"""A copy of the configuration that a test may change."""

import shutil
from pathlib import Path

import pytest
import yaml

from sharpest.config.project import Project, load_project
from sharpest.errors import ConfigError

ROOT = Path(__file__).parents[3]


class Scales:
    """A copy of the folder ``config`` of this checkout, with scales written by a test."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT / "config", folder)
        self.folder = folder

    def write(self, text: str, name: str = "mine") -> None:
        """Write a scale; ``text`` starts at line 1."""
        (self.folder / f"scales/{name}.yaml").write_text(text, encoding="utf-8")

    def keep_studies(self, *names: str) -> None:
        """Drop the other studies, for tests that make runs too short for them."""
        path = self.folder / "studies.yaml"
        studies = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        path.write_text(yaml.safe_dump({name: studies[name] for name in names}), encoding="utf-8")
        (self.folder / "beyond.yaml").unlink()
        quick = self.folder / "scales/quick.yaml"
        content = yaml.safe_load(quick.read_text(encoding="utf-8")) | {"paper_seeds": {}, "notes": {}}
        quick.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def load(self, text: str = "", **config: object) -> Project:
        """The project at the scale mine, which extends quick; ``text`` starts at its third line."""
        self.write(f"extends: quick\ndescription: mine\n{text}")
        return load_project({"scale": "mine", **config}, self.folder)

    def refusal(self, text: str) -> str:
        """The message that refuses this scale."""
        with pytest.raises(ConfigError) as caught:
            self.load(text)
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def scales(tmp_path: Path) -> Scales:
    return Scales(tmp_path / "config")
