"""Pack what figures, tables, claims and the report of a scale are made from into one file: a Workflow Run RO-Crate.

States of runs, eigenvectors and data are left out; docs/bundle.md says what that means. Run it in the folder of the
Snakefile, when all is made.
"""

import argparse
from pathlib import Path

from sharpest.commands.arguments import add_scale, chosen_project, claims_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_scale(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: sharpest-<scale>.zip")


def run(options: argparse.Namespace) -> int:
    from sharpest.pipeline.bundle.pack import pack

    project = chosen_project(options)
    print(pack(project, claims_of(project), Path(), options.output or Path(f"sharpest-{project.settings.scale}.zip")))
    return 0
