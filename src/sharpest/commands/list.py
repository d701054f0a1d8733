"""The runs of a results folder, and the measures and schedules of each."""

import argparse
from fnmatch import fnmatchcase

from sharpest.commands.arguments import add_json, add_results, chosen_results
from sharpest.commands.table import aligned, as_json
from sharpest.errors import StoreError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pattern", nargs="?", default="*", metavar="PATTERN", help='pattern of ids, such as "scnn-*"')
    add_results(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    results = chosen_results(options)
    runs = {
        run: {measure: results[run].schedules(measure) for measure in results[run].measures}
        for run in results
        if fnmatchcase(run, options.pattern)
    }
    if not runs:
        raise StoreError(f"{results.paths.folder} has no run that matches {options.pattern!r}")
    if options.json:
        print(as_json(runs))
    else:
        rows = [
            (run, "; ".join(f"{measure}: {', '.join(schedules)}" for measure, schedules in measured.items()))
            for run, measured in runs.items()
        ]
        print(aligned(("run", "measured"), rows))
    return 0
