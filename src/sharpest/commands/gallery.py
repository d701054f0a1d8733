"""Copy finished figures and tables into the docs."""

import argparse

from sharpest.commands.arguments import add_scale, chosen_project, claims_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("studies", nargs="*", metavar="STUDY", help="a finished figure or table, such as fig06")
    add_scale(parser)


def run(options: argparse.Namespace) -> int:
    from sharpest.pipeline.gallery.command import keep

    chosen = [f"--config scale={options.scale}"] * bool(options.scale)
    chosen += [f"--configfile {options.configfile}"] * bool(options.configfile)
    project = chosen_project(options)
    keep(project, claims_of(project), options.studies, chosen)
    return 0
