"""Commands that look at results: their runs, files, and states. All but settings need only the core."""

import argparse
import code
import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sharpest.commands.arguments import (
    JSON,
    KIND,
    OF_PROJECT,
    OF_RESULTS,
    argument,
    as_json,
    chosen_project,
    chosen_scale,
    command,
    run_and_iteration,
)
from sharpest.errors import ConfigError, StoreError, meant
from sharpest.grids import aligned
from sharpest.results import layout as layouts
from sharpest.results.exported import export
from sharpest.results.kinds import kinds_of_files, layouts_without_measures
from sharpest.results.layout import Dataset, Layout
from sharpest.results.paths import Paths, is_stored
from sharpest.results.runs import open_results
from sharpest.results.stored import Stored, layout_in, layouts_in


@command(
    "list",
    argument("pattern", nargs="?", default="*", metavar="PATTERN", help='pattern of ids, such as "scnn-*"'),
    *OF_RESULTS,
    JSON,
)
def list_runs(options: argparse.Namespace) -> int:
    """The runs of a results folder, and the measures and schedules of each."""
    results = open_results(options.results, chosen_scale(options))
    runs = {
        run: {measure: results[run].schedules(measure) for measure in results[run].measures}
        for run in results
        if fnmatchcase(run, options.pattern)
    }
    if not runs:
        raise StoreError(f"{results.paths.folder} has no run that matches {options.pattern!r}")
    rows = [
        (run, "; ".join(f"{measure}: {', '.join(schedules)}" for measure, schedules in measured.items()))
        for run, measured in runs.items()
    ]
    print(as_json(runs) if options.json else aligned(("run", "measured"), rows))
    return 0


@command(
    "show",
    argument("shown", metavar="FILE|RUN", help="a results file, or a run in config/runs.tsv"),
    KIND,
    *OF_PROJECT,
    JSON,
)
def show_file_or_run(options: argparse.Namespace) -> int:
    """The contents of a file: its provenance and its arrays. For a run, every setting and the line that sets it.

    Files can be shown with the core alone; settings are read from the configuration, which needs sharpest[pipeline].
    """
    if is_stored(options.shown):
        inside = layouts_in(options.shown)
        chosen = inside.values() if options.kind is None else [layout_in(options.shown, options.kind)]
        parts = [Stored(options.shown, layout) for layout in chosen]
        print(as_json(list(map(_file_as_mapping, parts))) if options.json else "\n\n\n".join(map(_file_as_text, parts)))
        return 0
    if options.json:
        raise ConfigError(f"--json works for files only; {options.shown!r} is a run")
    from sharpest.config.show import show

    project = chosen_project(options, checked=False)
    print(show(project, options.shown))
    project.check()  # after the settings, in which a mistake is found
    return 0


def _described(datasets: Iterable[Dataset], **more: Any) -> dict[str, Any]:
    """Arrays by name, as JSON shows them; ``more`` maps keys to functions of an array's name."""
    return {
        array.name: {
            "type": array.dtype,
            "dimensions": array.dims,
            **{key: value(array.name) for key, value in more.items()},
            "unit": array.unit,
            "meaning": array.meaning,
        }
        for array in datasets
    }


def _file_as_mapping(stored: Stored) -> dict[str, Any]:
    described = {"file": str(stored.path), "kind": stored.kind, "version": stored.version}
    return {**described, "arrays": _described(stored.datasets, shape=stored.shape), "attributes": stored.attributes}


def _file_as_text(stored: Stored) -> str:
    rows = [
        (
            *(array.name, array.dtype.lstrip("<|"), " ".join(array.dims)),
            *(" x ".join(map(str, stored.shape(array.name))), array.unit, array.meaning),
        )
        for array in stored.datasets
    ]
    # those that do not fit on a line are shown by --json only
    attributes = {
        name: value
        for name, value in stored.attributes.items()
        if name not in ("layout", "version") and not isinstance(value, dict | list) and "\n" not in str(value)
    }
    width = max(map(len, attributes))
    return "\n\n".join(
        (
            f"{stored.path}: {stored.kind}, version {stored.version}",
            "\n".join(f"{name:<{width}}  {value}" for name, value in attributes.items()),
            aligned(("array", "type", "dimensions", "shape", "unit", "meaning"), rows),
        )
    )


@command("schema", argument("kind", nargs="?", metavar="KIND", help="such as snapshots or spectra"), JSON)
def show_kind(options: argparse.Namespace) -> int:
    """The contents of a kind of file: its arrays with type, dimensions, unit and meaning. Without a kind, lists all.

    For a particular file use: sharpest show FILE
    """
    kinds, complete = _kinds()
    if options.kind is not None and options.kind not in kinds:
        missing = "" if complete else "; other measures need the pipeline: pip install 'sharpest[pipeline]'"
        hint = meant(options.kind, kinds, f"known: {', '.join(kinds)}")
        raise ConfigError(f"unknown kind of file {options.kind!r}; {hint}{missing}")
    chosen = kinds if options.kind is None else {options.kind: kinds[options.kind]}
    if options.json:
        print(as_json({name: _kind_as_mapping(*kind) for name, kind in chosen.items()}))
    elif options.kind is None:
        places = [(layout.name, str(layout.version), str(path)) for layout, path in kinds.values()]
        print(aligned(("kind", "version", "place"), places))
        if not complete:
            print("\nOther measures need sharpest[pipeline]. Without it, use for a particular file: sharpest show FILE")
    else:
        layout, path = kinds[options.kind]
        rows = [(array.name, array.dtype, " ".join(array.dims), array.unit, array.meaning) for array in layout.datasets]
        table = aligned(("array", "type", "dimensions", "unit", "meaning"), rows)
        letters = (layouts.__doc__ or "").partition("\n\n")[2].strip()
        print(f"{path}: {layout.name}, version {layout.version}\n\n{table}")
        print(f"\nattributes: {', '.join(layout.attributes)}\n\n{letters}")
    return 0


def _kinds() -> tuple[dict[str, tuple[Layout, Path]], bool]:
    """Name of each kind -> its layout and path; and whether all measures are included."""
    measured = layouts_without_measures()
    try:
        from sharpest.config.measures import declared, measure_names

        measured += [declared(name).layout for name in measure_names()]
        complete = True
    except ModuleNotFoundError:  # only the core is installed
        complete = False
    paths = Paths.of("<scale>")
    places = [(layout, paths.measured(layout.name, "<run>", "<schedule>")) for layout in measured]
    return {layout.name: (layout, path) for layout, path in (*kinds_of_files(), *places)}, complete


def _kind_as_mapping(layout: Layout, path: Path) -> dict[str, object]:
    described = {"version": layout.version, "place": str(path)}
    return {**described, "arrays": _described(layout.datasets), "attributes": layout.attributes}


@command(
    "open",
    argument("point", metavar="RUN@ITERATION", help="a trained run, and a number of completed updates"),
    *OF_RESULTS,
)
def open_prompt(options: argparse.Namespace) -> int:
    """A Python prompt at any iteration of a run, measured or not; ``point`` is the result of sharpest.open_point.

    Code on the standard input is run instead of a prompt: echo 'print(point.lr)' | sharpest open RUN@120
    """
    name, iteration = run_and_iteration(options.point)
    import torch

    from sharpest.measures.opening import open_point

    try:
        point = open_point(name, iteration, chosen_scale(options), options.results)
    except ValueError as error:
        raise StoreError(str(error)) from None
    names = {"point": point, "torch": torch}
    if not sys.stdin.isatty():
        # as python does with its standard input
        exec(compile(sys.stdin.read(), "<stdin>", "exec"), names)  # noqa: S102
        return 0
    measured = "" if point.eigenvalues is None else f", lambda_max {float(point.eigenvalues[0]):.4g}"
    banner = f"point: {name} at iteration {iteration}, {point.num_parameters:,} parameters, eta {point.lr:g}{measured}"
    code.interact(f"{banner}\nhelp(point) lists its attributes; torch is imported", local=names, exitmsg="")
    return 0


@command(
    "export",
    argument("file", metavar="FILE", help="a results file"),
    argument("output", type=Path, metavar="NEW", help="such as mine.npz, mine.csv or mine.nc"),
    KIND,
    argument("--vectors", action="store_true", help="write parameters and eigenvectors as well"),
)
def export_file(options: argparse.Namespace) -> int:
    """Write a file as npz, csv or NetCDF; the ending of the new name chooses the format.

    npz holds every array, and the attributes as JSON. csv holds one row per point, with every column. NetCDF (.nc)
    holds a measure's arrays with named dimensions; it needs xarray, a package of sharpest[pipeline]. Parameters and
    eigenvectors are large, and are written only with --vectors.
    """
    export(options.file, options.output, options.vectors, options.kind)
    return 0
