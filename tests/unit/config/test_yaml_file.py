"""The lines of keys, and inputs that YAML itself would silently accept."""

from pathlib import Path

import pytest

from sharpest.config.reading import YamlFile, read_yaml_file
from sharpest.errors import ConfigError

TEXT = """\
first: &anchor
  a: 1
  b: [2,
      3]
second: *anchor
third:
  <<: *anchor
  b: 4
list:
  - x: 1
  - {y: 2}
"""


@pytest.fixture
def file(tmp_path: Path) -> YamlFile:
    (tmp_path / "x.yaml").write_text(TEXT)
    return read_yaml_file(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("first",), 1),
        (("first", "a"), 2),
        (("first", "b", 1), 4),
        (("second",), 5),
        (("second", "a"), 2),
        (("third", "a"), 2),
        (("third", "b"), 8),
        (("list", 1), 11),
        (("list", 1, "y"), 11),
        (("list", 2), None),
        (("first", "c"), None),
        (("first", "a", "b"), None),
    ],
)
def test_the_line_of_a_key(file: YamlFile, keys: tuple[str | int, ...], line: int | None) -> None:
    assert file.line(keys) == line


def test_the_line_of_a_missing_key_is_that_of_its_parent(file: YamlFile) -> None:
    assert file.place(("third", "c")) == f"{file.path}, line 6"
    assert file.place(("fourth",)) == str(file.path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"# \xe9\n", "is not UTF-8 text; save it as such"),
        ("scale: quick\n".encode("utf-16"), "is not UTF-8 text; save it as such"),
        (b"a: 1\nb: &x {c: *x}\n", "line 2: an alias refers to a part that contains it; remove it"),
        (b"a: &x [1, [2, *x]]\n", "line 1: an alias refers to a part that contains it; remove it"),
        (b"a: 2026-13-45\n", "is not YAML: month must be in 1..12; correct that line"),
        (b"[" * 5000, "is not YAML"),
        (b"a: 1\nb: 2\na: 3\n", "line 3: key 'a' is already in line 1; merge the two"),
        (b"x:\n  - {a: 1,\n     a: 2}\n", "line 3: key 'a' is already in line 2"),
        (b"a: [\n", "is not YAML"),
        (b"a: !!python/object/apply:os.getcwd []\n", "is not YAML"),
    ],
)
def test_an_unreadable_file_is_refused_in_one_line(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml_file(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder; put the file in its place"):
        read_yaml_file(tmp_path)


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbfscale: quick\n")
    assert read_yaml_file(tmp_path / "x.yaml").values == {"scale": "quick"}


def test_one_alias_in_two_places_is_not_circular(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: &x [1]\nb: [*x, {c: *x}]\n")
    assert read_yaml_file(tmp_path / "x.yaml").values["b"] == [[1], {"c": [1]}]


def test_values_are_those_of_yaml(file: YamlFile) -> None:
    assert file.values["third"] == {"a": 1, "b": 4}
    assert file.values["second"] == {"a": 1, "b": [2, 3]}


def test_an_empty_file_has_no_values(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("# nothing\n")
    assert read_yaml_file(tmp_path / "x.yaml").values is None
