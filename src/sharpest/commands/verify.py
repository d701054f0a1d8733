"""Check every byte of a results folder, and the inputs that each file was made from."""

import argparse
from pathlib import Path

from sharpest.commands.arguments import add_scale, chosen_project
from sharpest.results.paths import Paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="results of a scale; default: those of --scale"
    )
    parser.add_argument(
        "--list", action="store_true", dest="listed", help="each correct file, with its digest and those of its sources"
    )
    add_scale(parser)


def run(options: argparse.Namespace) -> int:
    from sharpest.pipeline.verify import print_verified

    folder = options.folder or Paths.of(options.scale or chosen_project(options).settings.scale).folder
    return print_verified(folder, options.listed)
