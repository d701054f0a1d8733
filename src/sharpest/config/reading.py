"""Read YAML with the place of every key, and say in one line what is wrong with it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from sharpest.config.run_id import RunId
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError, meant

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


_T = TypeVar("_T")
Where = str | Callable[[Keys], str]
"""The beginning of an error message: a text, or a function that returns the place of the keys."""

# errors that do not count for a part of a class, which need not have all keys
_MISSING = ("missing", "union_tag_not_found")


def read_keys(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file.

    Raises:
        ConfigError: As for ``read_yaml_file``, and if the file is empty, or holds a list or a single value.
    """
    values = read_yaml_file(path).values
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no keys with values; correct or restore it")
    return values


def validate(model: type[_T], value: Any, where: Where, prefix: Keys = ()) -> _T:
    """Validate a value against a typed class.

    Args:
        model: The class, or a type made of classes.
        value: The value as read.
        where: Beginning of the error message.
        prefix: The keys under which ``value`` stands in its file.

    Raises:
        ConfigError: For the most helpful of the mistakes, in one line, with key and remedy.
    """
    try:
        return _checked(model, value)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise _complaint(model, value, error.errors(), where, prefix) from None


def check_part(model: Any, value: Any, where: Where, prefix: Keys = ()) -> None:
    """``validate`` for a part of the keys of a class: checks names and values, and accepts missing keys."""
    errors = [complaint for complaint in _errors(model, value) if complaint["type"] not in _MISSING]
    if errors:
        raise _complaint(model, value, errors, where, prefix)


def is_whole(model: Any, value: Any) -> bool:
    """Whether a value is valid for a class, with all keys that the class requires."""
    return not _errors(model, value)


def _errors(model: Any, value: Any) -> list[ErrorDetails]:
    try:
        _checked(model, value)
    except ValidationError as error:
        return error.errors()
    return []


def _checked(model: Any, value: Any) -> Any:
    if isinstance(model, type) and issubclass(model, BaseModel):
        return model.model_validate(value)
    return TypeAdapter(model).validate_python(value)


def _complaint(model: Any, value: Any, errors: list[ErrorDetails], where: Where, prefix: Keys) -> ConfigError:
    """The most helpful of the errors, in one line."""
    # a misspelt key is also a missing one; reporting the misspelling helps more
    first = min(errors, key=lambda complaint: complaint["type"] != "extra_forbidden")
    kind, keys = first["type"], (*prefix, *_keys(first["loc"], value))
    key = ".".join(str(part) if str(part).isprintable() else repr(part) for part in keys)
    last = first["loc"][-1] if first["loc"] else ""
    place = where if isinstance(where, str) else where(keys)
    if kind == "extra_forbidden":
        # within {} a comma ends a text, and the words after it become a key without a value
        rest = "put the text before it in quotes, for its comma" if " " in str(last) else "remove it"
        return ConfigError(f"{place}: unknown key {key!r}; {meant(str(last), _known_keys(model, first['loc']), rest)}")
    if kind == "missing":
        return ConfigError(f"{place}: {key}{'.' * bool(key)}{last} is missing; add it")
    if kind == "union_tag_not_found":
        return ConfigError(f"{place}: {key}.kind is missing; add it")
    if kind == "value_error":
        return ConfigError(f"{place}: {key}{': ' * bool(key)}{first['ctx']['error']}")
    wish, given = first["msg"].partition("should ")[2] or first["msg"], first["input"]
    wish = wish.replace("a valid tuple", "a list")
    if kind == "union_tag_invalid":
        key, given = f"{key}.kind", given["kind"]
        wish = "be " + " or ".join(first["ctx"]["expected_tags"].rsplit(", ", 1))
    shown = repr(given) if len(repr(given)) < 60 else f"{repr(given)[:60]}..."
    return ConfigError(f"{place}: {key or 'its content'} should {wish}, found {shown}")


def _keys(location: Keys, value: Any) -> Keys:
    """The keys of a location in ``value``, without the names of types that pydantic tried."""
    keys: list[str | int] = []
    for part in location:
        inside = range(len(value)) if isinstance(value, list) else value if isinstance(value, Mapping) else ()
        if part in inside:
            value = value[part]
            keys.append(part)
    return tuple(keys)


def _known_keys(model: Any, location: Keys) -> list[str]:
    """The keys that are allowed beside the last part of ``location``."""
    models = models_in(model)
    for part in location[:-1]:
        fields = [model.model_fields[str(part)] for model in models if part in model.model_fields]
        if fields:
            models = [model for field in fields for model in models_in(field.annotation)]
        else:  # a key of a mapping, a place in a list, or the kind of a model or study
            models = [model for model in models if part == _kind(model)] or models
    return [name for model in models for name in model.model_fields]


def models_in(annotation: Any) -> list[type[Strict]]:
    """The settings classes in an annotation such as ``dict[str, A | B]``."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


def _kind(model: type[BaseModel]) -> str | None:
    """The value of the key ``kind``, which identifies the members of a union; None if the class has no such key."""
    return get_args(model.model_fields["kind"].annotation)[0] if "kind" in model.model_fields else None


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` merged in, mapping by mapping; other values are replaced."""
    return merge_all([(None, base), (None, changes)])[0]


def merge_all(parts: Iterable[tuple[_T, Mapping[str, Any]]]) -> tuple[dict[str, Any], dict[Keys, _T]]:
    """Mappings merged in order, and the source of each value.

    Args:
        parts: The source of each mapping, and the mapping; later ones take precedence.

    Returns:
        The merged mapping; the keys of each value in it that is not a mapping -> its source.
    """
    whole: dict[str, Any] = {}
    origins: dict[Keys, _T] = {}
    for source, part in parts:
        whole = _merged(whole, part, source, origins, ())
    return whole, origins


def _merged(
    base: Mapping[str, Any], changes: Mapping[str, Any], source: _T, origins: dict[Keys, _T], at: Keys
) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old, keys = merged.get(key), (*at, key)
        if isinstance(value, Mapping):
            origins.pop(keys, None)
            merged[key] = _merged(old if isinstance(old, Mapping) else {}, value, source, origins, keys)
            continue
        if isinstance(old, Mapping):
            for inner in [place for place in origins if place[: len(keys)] == keys]:
                del origins[inner]
        merged[key], origins[keys] = value, source
    return merged


def read_runs(path: Path) -> dict[str, int]:
    """Run ids with their lengths in epochs at paper scale."""
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), delimiter="\t")
    if reader.fieldnames != ["run", "group", "epochs"]:
        raise ConfigError(f"{path}: expected columns run, group, epochs, separated by tabs; found {reader.fieldnames}")
    runs: dict[str, int] = {}
    for line, row in enumerate(reader, start=2):
        run = row["run"]
        if None in row or None in row.values():
            raise ConfigError(f"{path}, line {line}: expected 3 columns, as in the first line; add or remove tabs")
        try:
            RunId.parse(run)
        except ConfigError as error:
            raise ConfigError(f"{path}, line {line}: {error}") from None
        if run in runs:
            raise ConfigError(f"{path}, line {line}: run {run!r} is listed twice; remove one line")
        if not re.fullmatch("[0-9]{1,7}", row["epochs"]) or int(row["epochs"]) < 1:
            raise ConfigError(f"{path}, line {line}: epochs must be a whole number from 1 to 9999999")
        runs[run] = int(row["epochs"])
    return runs
