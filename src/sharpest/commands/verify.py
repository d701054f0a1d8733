"""Check every byte of a results folder, and say what was made from what."""

import argparse
from pathlib import Path

from sharpest.commands.arguments import add_scale, chosen_project
from sharpest.results.paths import Paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="of a scale; else that of --scale")
    add_scale(parser)


def run(options: argparse.Namespace) -> int:
    from sharpest.pipeline.verify import print_verified

    return print_verified(options.folder or Paths.of(options.scale or chosen_project(options).settings.scale).folder)
