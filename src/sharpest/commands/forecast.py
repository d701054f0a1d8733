"""Hours, memory and gigabytes of each figure and table."""

import argparse
from pathlib import Path

from sharpest.commands.arguments import add_scale, chosen_project, claims_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the rows to this file as well")
    add_scale(parser)


def run(options: argparse.Namespace) -> int:
    from sharpest.pipeline.forecast.command import print_forecast

    project = chosen_project(options)
    print_forecast(project, claims_of(project), options.csv)
    return 0
