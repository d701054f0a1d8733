"""The contents of a file: its provenance and its arrays. For a run, every setting and the line that sets it.

Files can be shown with the core alone; settings are read from the configuration, which needs sharpest[pipeline].
"""

import argparse
from typing import Any

from sharpest.commands.arguments import add_json, add_kind, add_scale, chosen_project
from sharpest.commands.table import aligned, as_json
from sharpest.errors import ConfigError
from sharpest.results.layout import Dataset
from sharpest.results.paths import is_stored
from sharpest.results.stored import Stored, layout_in, layouts_in

_HEAD = ("array", "type", "dimensions", "shape", "unit", "meaning")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shown", metavar="FILE|RUN", help="a results file, or a run in config/runs.tsv")
    add_kind(parser)
    add_scale(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    if is_stored(options.shown):
        layouts = layouts_in(options.shown)
        chosen = layouts.values() if options.kind is None else [layout_in(options.shown, options.kind)]
        parts = [Stored(options.shown, layout) for layout in chosen]
        print(as_json(list(map(_as_mapping, parts))) if options.json else "\n\n\n".join(map(_as_text, parts)))
        return 0
    if options.json:
        raise ConfigError(f"--json works for files only; {options.shown!r} is a run")
    from sharpest.config.show import show

    project = chosen_project(options, checked=False)
    print(show(project, options.shown))
    project.check()  # after the settings, in which a mistake is found
    return 0


def _as_mapping(stored: Stored) -> dict[str, Any]:
    arrays = {
        array.name: {
            "type": array.dtype,
            "dimensions": array.dims,
            "shape": stored.shape(array.name),
            "unit": array.unit,
            "meaning": array.meaning,
        }
        for array in stored.datasets
    }
    described = {"file": str(stored.path), "kind": stored.kind, "version": stored.version}
    return {**described, "arrays": arrays, "attributes": stored.attributes}


def _as_text(stored: Stored) -> str:
    rows = [
        (array.name, array.dtype.lstrip("<|"), " ".join(array.dims), _shape(stored, array), array.unit, array.meaning)
        for array in stored.datasets
    ]
    attributes = {name: value for name, value in stored.attributes.items() if _is_short(name, value)}
    width = max(map(len, attributes))
    return "\n\n".join(
        (
            f"{stored.path}: {stored.kind}, version {stored.version}",
            "\n".join(f"{name:<{width}}  {value}" for name, value in attributes.items()),
            aligned(_HEAD, rows),
        )
    )


def _shape(stored: Stored, array: Dataset) -> str:
    return " x ".join(map(str, stored.shape(array.name)))


def _is_short(name: str, value: Any) -> bool:
    """Whether an attribute fits on a line; the others are shown by --json only."""
    return name not in ("layout", "version") and not isinstance(value, dict | list) and "\n" not in str(value)
