"""A copy of the configuration that a test may change. Files that it leaves unchanged are parsed once."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from sharpest.config import reading, scale_files, study_files
from sharpest.config.project import Project, load_project
from sharpest.errors import ConfigError

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "config"
REMOVED = "<removed>"


@pytest.fixture(autouse=True, scope="session")
def _parsed_once() -> Iterator[None]:
    """Copies of the shipped files share one syntax tree."""
    shipped = {path.read_bytes(): reading.read_yaml_file(path) for path in CONFIG.rglob("*.yaml")}
    real = reading.read_yaml_file

    def read(path: Path) -> reading.YamlFile:
        tree = shipped.get(path.read_bytes()) if path.is_file() else None
        return real(path) if tree is None else replace(tree, path=path)

    with pytest.MonkeyPatch.context() as patch:
        for module in (scale_files, study_files):
            patch.setattr(module, "read_yaml_file", read)
        yield


class Scales:
    """A copy of the folder ``config``, with files changed and scales written by a test."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(CONFIG, folder)
        self.folder = folder

    def write(self, text: str, name: str = "mine") -> None:
        """Write a scale; ``text`` starts at line 1."""
        (self.folder / f"scales/{name}.yaml").write_text(text, encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        with open(self.folder / name, "a", encoding="utf-8") as file:
            file.write(text)

    def edit(self, name: str, change: Callable[[Any], object]) -> None:
        """Apply ``change`` to the content of a YAML file."""
        path = self.folder / name
        content = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        change(content)
        path.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False), encoding="utf-8")

    def set(self, name: str, key: str, value: object) -> None:
        """Set a key of a YAML file, given with dots, or remove it."""
        *parents, last = key.split(".")

        def change(content: Any) -> None:
            for parent in parents:
                content = content[int(parent)] if isinstance(content, list) else content.setdefault(parent, {})
            if value is REMOVED:
                del content[last]
            else:
                content[last] = value

        self.edit(name, change)

    def keep_studies(self, *names: str) -> None:
        """Drop the other studies, for tests that make runs too short for them."""
        self.edit("studies.yaml", lambda studies: [studies.pop(name) for name in [*studies] if name not in names])
        (self.folder / "beyond.yaml").unlink()
        self.edit("scales/quick.yaml", lambda scale: scale.update({"paper_seeds": {}, "notes": {}}))

    def load(self, text: str = "", **config: object) -> Project:
        """The project at the scale mine, which extends quick; ``text`` starts at its third line."""
        self.write(f"extends: quick\ndescription: mine\n{text}")
        return load_project({"scale": "mine", **config}, self.folder)

    def refusal(self, text: str = "", **config: object) -> str:
        """The message that refuses this scale, or another one."""
        with pytest.raises(ConfigError) as caught:
            self.load(text, **config)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600
        return str(caught.value)


@pytest.fixture
def scales(tmp_path: Path) -> Scales:
    return Scales(tmp_path / "config")


@pytest.fixture(scope="session")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Scales:
    """For tests that only write the scale mine."""
    return Scales(tmp_path_factory.mktemp("scales") / "config")


@pytest.fixture(scope="session")
def paper() -> Project:
    return load_project({"scale": "paper"}, CONFIG)


@pytest.fixture(scope="session")
def quick() -> Project:
    return load_project({"scale": "quick"}, CONFIG)


@pytest.fixture(scope="session", params=["quick", "small", "paper"])
def project(request: pytest.FixtureRequest) -> Project:
    return load_project({"scale": request.param}, CONFIG)
