"""What is stale, with the setting or module that changed."""

import argparse
from importlib.util import find_spec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="targets and options of snakemake")


def run(options: argparse.Namespace) -> int:
    from sharpest.pipeline.why import print_stale

    if find_spec("snakemake") is None:  # it runs as a process of its own
        raise ModuleNotFoundError("there is no snakemake", name="snakemake")
    return print_stale(options.arguments)
