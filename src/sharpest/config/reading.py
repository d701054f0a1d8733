"""Read the configuration files; what is wrong with them becomes one line."""

import csv
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from sharpest.config.run_id import RunId
from sharpest.config.settings import BY_RUN, models_in
from sharpest.errors import ConfigError

_T = TypeVar("_T")
# ten times as fast, where PyYAML was built with it
_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; restore it") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); correct its rights") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text; save it as such or restore it") from None


def read_yaml(path: Path) -> Any:
    """The content of a YAML file."""
    try:
        return yaml.load(_read_text(path), Loader=_SafeLoader)  # noqa: S506 - a safe loader, in C where there is one
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}; correct that line") from None


def validate(model: type[_T], value: Any, where: str) -> _T:
    """Validate against a typed class; the first complaint becomes one line."""
    try:
        return TypeAdapter(model).validate_python(value)
    except ValidationError as error:
        # a misspelt key is also a missing one; the misspelling is what helps
        first = min(error.errors(), key=lambda complaint: complaint["type"] != "extra_forbidden")
        kind, key = first["type"], _dotted(first["loc"], value)
        if kind == "extra_forbidden":
            close = difflib.get_close_matches(str(first["loc"][-1]), _known_keys(model, first["loc"]), n=1)
            hint = f"did you mean {close[0]!r}?" if close else "remove it"
            raise ConfigError(f"{where}: unknown key {key!r}; {hint}") from None
        if kind == "missing":
            raise ConfigError(f"{where}: {key}{'.' * bool(key)}{first['loc'][-1]} is missing; add it") from None
        if kind == "union_tag_not_found":
            raise ConfigError(f"{where}: {key}.kind is missing; add it") from None
        wish, found = first["msg"].partition("should ")[2] or first["msg"], first["input"]
        if kind == "union_tag_invalid":
            key, found = f"{key}.kind", found["kind"]
            wish = "be " + " or ".join(first["ctx"]["expected_tags"].rsplit(", ", 1))
        shown = repr(found) if len(repr(found)) < 60 else f"{repr(found)[:60]}..."
        raise ConfigError(f"{where}: {key or 'its content'} should {wish}, found {shown}") from None


def _dotted(location: tuple[int | str, ...], value: Any) -> str:
    """A place in ``value`` as a person would write it, without the names of types that pydantic tried."""
    parts = []
    for part in location:
        if part in value if isinstance(value, Mapping) else isinstance(value, list) and isinstance(part, int):
            value = value[part]
            parts.append(str(part))
    return ".".join(parts)


def _known_keys(model: Any, location: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand beside the last part of ``location``."""
    models = models_in(model)
    for part in location[:-1]:
        fields = [model.model_fields[str(part)] for model in models if part in model.model_fields]
        if fields:
            models = [model for field in fields for model in models_in(field.annotation)]
        else:  # a key of a mapping, a place in a list, or the kind of a model or study
            models = [model for model in models if part == _kind(model)] or models
    return [name for model in models for name in model.model_fields]


def _kind(model: type[BaseModel]) -> str | None:
    """The one value of the key ``kind``, which tells the members of a union apart."""
    return get_args(model.model_fields["kind"].annotation)[0] if "kind" in model.model_fields else None


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` merged in, mapping by mapping; other values are replaced."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def read_scale(folder: Path, name: str, children: tuple[str, ...] = ()) -> dict[str, Any]:
    """A scale file over the scale that it extends; ``children`` are the scales that extend this one."""
    path = folder / f"{name}.yaml"
    where = f"{folder / children[-1]}.yaml: extends" if children else "config"
    if name in children:
        raise ConfigError(f"{where}: {' extends '.join([*children, name])}, in a circle; remove one 'extends'")
    if not path.exists():
        known = ", ".join(sorted(other.stem for other in folder.glob("*.yaml")))
        raise ConfigError(f"{where}: scale {name!r} has no file {path}; known scales: {known}")
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no keys; restore it")
    parent = values.pop("extends", None)
    if parent is None:
        return values
    merged = merge(read_scale(folder, str(parent), (*children, name)), values)
    # patterns are tried in order, so a scale's own come before the ones it inherits
    for key in BY_RUN:
        if isinstance(own := values.get(key), Mapping):
            merged[key] = {**own, **{pattern: value for pattern, value in merged[key].items() if pattern not in own}}
    # points are one text or patterns of texts, never a mixture of two scales
    schedules = values.get("schedules")
    for schedule, own in schedules.items() if isinstance(schedules, Mapping) else ():
        if isinstance(own, Mapping) and "points" in own:
            merged["schedules"][schedule]["points"] = own["points"]
    return merged


def read_runs(path: Path) -> dict[str, int]:
    """Run ids and their length in epochs at paper scale."""
    reader = csv.DictReader(_read_text(path).splitlines(), delimiter="\t")
    if reader.fieldnames != ["run", "group", "epochs"]:
        raise ConfigError(f"{path}: the columns are run, group, epochs, separated by tabs; found {reader.fieldnames}")
    runs: dict[str, int] = {}
    for line, row in enumerate(reader, start=2):
        run = row["run"]
        try:
            RunId.parse(run)
        except ConfigError as error:
            raise ConfigError(f"{path}, line {line}: {error}") from None
        if run in runs:
            raise ConfigError(f"{path}, line {line}: run {run!r} stands there twice; remove one line")
        if not (row["epochs"] or "").isdecimal() or int(row["epochs"]) < 1:
            raise ConfigError(f"{path}, line {line}: epochs must be a whole number of at least 1")
        runs[run] = int(row["epochs"])
    return runs
