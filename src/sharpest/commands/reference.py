"""Write the pages of the docs that are generated from the code."""

import argparse
from pathlib import Path

from sharpest.commands.arguments import in_project


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace) -> int:
    from sharpest.config.reference import write_pages

    write_pages(in_project(Path("docs")))
    return 0
