"""A YAML file with the lines of its keys, so that an error message can name the line to correct."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sharpest.errors import ConfigError

# ten times as fast, if PyYAML was built with it
_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Keys = tuple[str | int, ...]
"""A place in a file: keys of mappings and numbers of list items, from the outside in."""


@dataclass(frozen=True)
class YamlFile:
    """The content of a YAML file.

    Attributes:
        path: The file.
        values: Its content.
    """

    path: Path
    values: Any
    _node: yaml.Node | None = field(compare=False, repr=False)

    def line(self, keys: Sequence[str | int]) -> int | None:
        """The line of a key, or of the anchor that it comes from; None if the file has no such key."""
        line, node = None, self._node
        for key in keys:
            match = _item(node, key)
            if match is None:
                return None
            line, node = match[0].start_mark.line + 1, match[1]
        return line

    def place(self, keys: Sequence[str | int]) -> str:
        """The file, and the line of a key or of the closest key around it, as text."""
        for length in range(len(keys), 0, -1):
            if line := self.line(keys[:length]):
                return f"{self.path}, line {line}"
        return str(self.path)


def read_text(path: Path) -> str:
    """The content of a text file.

    Raises:
        ConfigError: If it cannot be read; in one line, with the remedy.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ConfigError(f"{path} is not a regular file; put a file in its place")
    try:
        # spreadsheets put a byte order mark before the text
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; restore it") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder; put the file in its place") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); fix its permissions") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text; save it as such or restore it") from None


def read_yaml_file(path: Path) -> YamlFile:
    """Read a YAML file.

    Raises:
        ConfigError: If it is not YAML, or a mapping has a key twice; in one line, with the remedy.
    """
    loader = _SafeLoader(read_text(path))
    try:
        node = loader.get_single_node()
        _check_keys(node, path)
        values = None if node is None else loader.construct_document(node)
    # the other errors come from impossible numbers and dates, and from lists nested too deeply
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}; correct that line") from None
    finally:
        loader.dispose()
    return YamlFile(path, values, node)


def _item(node: yaml.Node | None, key: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The nodes of a key and of its value; for a list item, its node twice."""
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key]
    if isinstance(node, yaml.MappingNode):
        # merged keys come before the mapping's own keys, which take precedence
        for key_node, value_node in reversed(node.value):
            if key_node.value == str(key):
                return key_node, value_node
    return None


def _check_keys(node: yaml.Node | None, path: Path) -> None:
    """Refuse repeated keys, of which YAML would silently keep the last, and aliases that contain themselves."""
    waiting: list[tuple[yaml.Node | None, frozenset[int]]] = [(node, frozenset())]
    seen: set[int] = set()
    while waiting:
        node, around = waiting.pop()
        if node is None:
            continue
        if id(node) in around:
            line = node.start_mark.line + 1
            raise ConfigError(f"{path}, line {line}: an alias refers to a part that contains it; remove it")
        if id(node) in seen:
            continue
        seen.add(id(node))
        around |= {id(node)}
        if isinstance(node, yaml.SequenceNode):
            waiting += [(value, around) for value in node.value]
        elif isinstance(node, yaml.MappingNode):
            lines: dict[object, int] = {}
            for key_node, value_node in node.value:
                line, key = key_node.start_mark.line + 1, str(key_node.value)
                if key in lines:
                    raise ConfigError(
                        f"{path}, line {line}: key {key!r} is already in line {lines[key]}; merge the two"
                    )
                lines[key] = line
                waiting.append((value_node, around))
