"""The sources by name, and the modules in the fingerprint of each."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from sharpest.config.sources import SOURCES
from sharpest.data.sources import source_module
from sharpest.pipeline import fingerprint as module
from sharpest.pipeline.fingerprint import fingerprint, import_closure

SCRIPT = Path(__file__).parents[4] / "workflow/scripts/prepare_data.py"
DESCRIPTIONS = "sharpest.config.sources"


def test_kinds_of_sources():
    assert {name: source.kind for name, source in SOURCES.items()} == {
        "digits": "images",
        "fashion-mnist": "images",
        "cifar-10": "images",
        "cifar-100": "images",
        "ptb": "tokens",
        "python-topics": "tokens",
        "imdb": "reviews",
        "generated-reviews": "reviews",
        "bible-kjv": "tokens",
        "rated-sentences": "reviews",
        "own-images": "images",
        "imported": "imported",
    }


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_has_a_loader(name):
    source = import_module(source_module(name))
    assert source.SOURCE is SOURCES[name]
    assert callable(source.load)


def test_a_configuration_is_checked_without_loading_anything():
    loaders = ("torch", "numpy", "sklearn", "pydoc_data", "sharpest.data")
    code = f"import sys, {DESCRIPTIONS}; sys.exit(any(name in sys.modules for name in {loaders}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", SOURCES)
def test_preparing_a_source_depends_on_its_own_description_only(name):
    """A new source, or another title, leaves data prepared from the others current."""
    (line,) = [line for line in fingerprint(SCRIPT, source_module(name)).splitlines() if line.startswith(DESCRIPTIONS)]
    kinds = {"ImageSource", "ImportedSource", "ReviewSource", "Source", "TokenSource"}
    assert set(line.split()[2].split(",")) - kinds == {name.upper().replace("-", "_")}


@pytest.mark.parametrize("name", SOURCES)
def test_preparing_a_source_does_not_depend_on_the_code_of_others(name):
    closure = import_closure("sharpest.data.prepare") + import_closure(source_module(name))
    assert not {source_module(other) for other in SOURCES if other != name} & set(closure)


def test_editing_a_source_changes_only_its_own_fingerprint(monkeypatch):
    def fingerprints() -> dict[str, str]:
        return {name: fingerprint(SCRIPT, source_module(name)) for name in SOURCES}

    before, real = fingerprints(), module._digest

    def changed(edited: str) -> set[str]:
        monkeypatch.setattr(module, "_digest", lambda name, names: "edited" if name == edited else real(name, names))
        return {name for name, value in fingerprints().items() if value != before[name]}

    assert len(set(before.values())) == len(SOURCES)
    assert {name: changed(source_module(name)) for name in SOURCES} == {name: {name} for name in SOURCES}
    assert changed("sharpest.data.sources.cifar") == {"cifar-10", "cifar-100"}
    assert changed("sharpest.data.sources.words") == {"ptb", "python-topics", "bible-kjv", "rated-sentences"}
    assert changed("sharpest.data.sources.decoded") == set(SOURCES)
