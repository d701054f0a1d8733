"""The contents of a kind of file: its arrays with type, dimensions, unit and meaning. Without a kind, lists all kinds.

For a particular file use: sharpest show FILE
"""

import argparse
import difflib
from pathlib import Path

from sharpest.commands.arguments import add_json
from sharpest.commands.table import aligned, as_json
from sharpest.errors import ConfigError
from sharpest.results import layout as layouts
from sharpest.results.kinds import kinds_of_files, layouts_without_measures
from sharpest.results.layout import Layout
from sharpest.results.paths import Paths

_HEAD = ("array", "type", "dimensions", "unit", "meaning")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", nargs="?", metavar="KIND", help="such as snapshots or spectra")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    kinds, complete = _kinds()
    if options.kind is not None and options.kind not in kinds:
        close = difflib.get_close_matches(options.kind, kinds, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(kinds)}"
        missing = "" if complete else "; other measures need the pipeline: pip install 'sharpest[pipeline]'"
        raise ConfigError(f"unknown kind of file {options.kind!r}; {hint}{missing}")
    chosen = kinds if options.kind is None else {options.kind: kinds[options.kind]}
    if options.json:
        print(as_json({name: _as_mapping(*kind) for name, kind in chosen.items()}))
    elif options.kind is None:
        print(aligned(("kind", "version", "place"), [_line(*kind) for kind in kinds.values()]))
        if not complete:
            print("\nOther measures need sharpest[pipeline]. Without it, use for a particular file: sharpest show FILE")
    else:
        layout, path = kinds[options.kind]
        rows = [(array.name, array.dtype, " ".join(array.dims), array.unit, array.meaning) for array in layout.datasets]
        print(f"{path}: {layout.name}, version {layout.version}\n\n{aligned(_HEAD, rows)}")
        print(f"\nattributes: {', '.join(layout.attributes)}\n\n{_letters()}")
    return 0


def _kinds() -> tuple[dict[str, tuple[Layout, Path]], bool]:
    """Name of each kind -> its layout and path; and whether all measures are included."""
    kinds = {layout.name: (layout, path) for layout, path in kinds_of_files()}
    layouts = layouts_without_measures()
    try:
        from sharpest.config.measures import declared, measure_names

        layouts += [declared(name).layout for name in measure_names()]
        complete = True
    except ModuleNotFoundError:  # only the core is installed
        complete = False
    paths = Paths.of("<scale>")
    kinds |= {layout.name: (layout, paths.measured(layout.name, "<run>", "<schedule>")) for layout in layouts}
    return kinds, complete


def _letters() -> str:
    """The meaning of the letters of dimensions, from the docstring of the module of layouts."""
    assert layouts.__doc__ is not None
    return layouts.__doc__.partition("\n\n")[2].strip()


def _line(layout: Layout, path: Path) -> tuple[str, str, str]:
    return layout.name, str(layout.version), str(path)


def _as_mapping(layout: Layout, path: Path) -> dict[str, object]:
    return {
        "version": layout.version,
        "place": str(path),
        "arrays": {
            array.name: {"type": array.dtype, "dimensions": array.dims, "unit": array.unit, "meaning": array.meaning}
            for array in layout.datasets
        },
        "attributes": layout.attributes,
    }
