"""The tables of docs/configuration.md and docs/files.md, generated from the classes that validate."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from sharpest import grids
from sharpest.config.measures import Measure, declared, measure_names
from sharpest.config.reading import models_in, read_text
from sharpest.config.settings import ForRuns, ProjectSettings, RunKeys, ScaleFile
from sharpest.config.strict import Strict
from sharpest.config.studies import AnyStudy
from sharpest.errors import ConfigError
from sharpest.results import layout as layouts
from sharpest.results.kinds import kinds_of_files
from sharpest.results.paths import Paths

COMMAND = "python -m sharpest reference"
MARK = f"<!-- written by {COMMAND}, from here on -->\n"

_PATHS = Paths.of("<scale>")
_APART = {(ScaleFile, "studies"), (ForRuns, "set")}


def configuration_page() -> str:
    """All keys, the second part of docs/configuration.md."""
    of_runs, measures = set(RunKeys.model_fields), [declared(name) for name in measure_names()]
    parts = ["\n## Keys of `config/config.yaml`\n", *_key_table(ProjectSettings)]
    parts += ["## Keys of a scale\n", "A scale also has the keys of runs, further down.\n"]
    parts += _key_table(ScaleFile, of_runs)
    parts += [
        "## Keys of runs\n",
        "In a scale, for all runs; below `set`, for some.\n",
        *_key_table(RunKeys),
    ]
    parts += ["## Keys of a measure\n", "In `measures`, and in `measures` of a schedule.\n"]
    for measure in measures:
        parts += [f"### {measure.name}\n", *_measure_table(measure)]
    parts.append("## Keys of a study\n")
    for study in models_in(AnyStudy):
        parts += [f"### {get_args(study.model_fields['kind'].annotation)[0]}\n", *_key_table(study)]
    return "\n".join(parts)


def files_page() -> str:
    """All kinds of files, the second part of docs/files.md."""
    legend = (layouts.__doc__ or "").partition("\n\n")[2]
    parts = [f"\n{legend}"]
    measured = [(declared(name).layout, _PATHS.measured(name, "<run>", "<schedule>")) for name in measure_names()]
    for layout, place in (*kinds_of_files(), *measured):
        parts += [f"## {layout.name}, version {layout.version}\n", f"`{place}`\n"]
        rows = [
            (f"`{d.name}`", f"`{d.dtype}`", _escaped(f"({', '.join(d.dims)})"), d.unit, _escaped(d.meaning))
            for d in layout.datasets
        ]
        parts.append(grids.markdown(("array", "type", "dimensions", "unit", "meaning"), rows))
        parts.append(f"\nAttributes: {', '.join(f'`{name}`' for name in layout.attributes)}.\n")
    return "\n".join(parts)


def _measure_table(measure: Measure) -> list[str]:
    """What a measure measures, the measures that it needs, and its keys."""
    title = f"{measure.title[0].upper()}{measure.title[1:]}."
    needed = " and ".join(f"`{name}`" for name in measure.needs)
    needs = f" It needs {needed} at the same points." if needed else ""
    return [f"{title}{needs}\n", *_key_table(measure.settings)]


def _key_table(model: type[Strict], without: Iterable[str] = ()) -> list[str]:
    return [grids.markdown(("key", "value", "default", "meaning"), list(_key_rows(model, "", without))), ""]


def _key_rows(model: type[Strict], place: str, without: Iterable[str] = ()) -> Iterator[tuple[str, ...]]:
    """The rows of a class, each followed by the rows of the classes inside it."""
    properties = model.model_json_schema()["properties"]
    # kind comes first, before the keys of the base class
    for name, field in sorted(model.model_fields.items(), key=lambda item: item[0] != "kind"):
        if name in without:
            continue
        inner = models_in(field.annotation)
        # a kind is described by its class, and a key without a description by the class inside it
        described = field.description or (model.__doc__ if name == "kind" else inner[0].__doc__) or ""
        default = "" if field.is_required() else f"`{_default(field.default)}`"
        yield (f"`{place}{name}`", _value(properties[name]), default, _escaped(" ".join(described.split())))
        # a mapping contains names, a list contains numbers
        shape = {"object": ".<name>", "array": ".<n>"}.get(str(properties[name].get("type")), "")
        # studies and keys of runs have their own tables
        for class_inside in inner if (model, name) not in _APART else ():
            yield from _key_rows(class_inside, f"{place}{name}{shape}.")


def _default(value: Any) -> str:
    return json.dumps(value).replace("null", "none")


def _value(schema: Mapping[str, Any]) -> str:
    """The type and range of a value in words, from its JSON schema."""
    if "anyOf" in schema:
        return ", or ".join(_value(option) for option in schema["anyOf"])
    choices = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if choices:
        return " or ".join(f"`{choice}`" for choice in choices)
    kind = schema.get("type")
    if kind == "array":
        return f"list of: {_value(schema['items'])}"
    if kind == "object":
        # a mapping whose names must match a pattern has its values under the pattern
        inside = next(iter(schema.get("patternProperties", {}).values()), None) or schema["additionalProperties"]
        return f"mapping to: {'anything' if inside is True else _value(inside)}"
    words = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "true or false",
        "null": "none",
    }
    limits = [
        f"{words_of_limit} {schema[limit]:g}"
        for limit, words_of_limit in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if limit in schema
    ]
    return " ".join([words.get(str(kind), "the keys below"), " and ".join(limits)]).strip()


def _escaped(text: str) -> str:
    # Markdown would take these for emphasis or for a tag
    return text.replace("*", "\\*").replace("<", "&lt;")


def write_pages(folder: Path) -> None:
    """Write the second parts of the pages in a folder; the text before the mark stays.

    Raises:
        ConfigError: If a page is missing, or has no mark.
    """
    for name, page in PAGES.items():
        prose, mark, _ = read_text(folder / name).partition(MARK)
        if not mark:
            raise ConfigError(f"{folder / name} has no line {MARK.strip()!r}; restore it")
        (folder / name).write_text(prose + mark + page(), encoding="utf-8")


PAGES: dict[str, Callable[[], str]] = {"configuration.md": configuration_page, "files.md": files_page}
