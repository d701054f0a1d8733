"""The sources by name, and what the fingerprint of each covers."""

from pathlib import Path
from pkgutil import resolve_name

import pytest

from sharpest.config.sources import SOURCES
from sharpest.data.sources import code_of_source
from sharpest.pipeline.fingerprint import fingerprint

SCRIPT = Path(__file__).parents[4] / "workflow/scripts/prepare_data.py"
DESCRIPTIONS = "sharpest.config.sources"
DECODED = {name: source.kind for name, source in SOURCES.items() if name != "imported"}


@pytest.mark.parametrize("name", DECODED)
def test_every_source_has_a_reader_and_depends_on_no_other(name: str) -> None:
    """An edit of one source, of its description or its reader, leaves data prepared from the others current."""
    reader, description = code_of_source(DECODED[name], name)
    assert callable(resolve_name(reader))
    assert resolve_name(description) is SOURCES[name]
    lines = map(str.split, fingerprint(SCRIPT, reader, description).splitlines())
    counted = {module: set(names[0].split(",")) for module, _, *names in lines if names}
    kinds = {"ImageSource", "ImportedSource", "ReviewSource", "Source", "TokenSource", "SourceSettings"}
    assert counted[DESCRIPTIONS] - kinds == {name.upper().replace("-", "_")}
    readers = {other for names in counted.values() for other in names if other.startswith("read_")}
    helpers = {"read_file", "read_members", "read_or_fetch"}
    assert readers - helpers == {f"read_{name.replace('-', '_')}"}
    others = {f"sharpest.data.sources.{kind}" for kind in set(DECODED.values()) - {DECODED[name]}}
    assert not others & counted.keys()
