"""Stale results, with the setting or module that changed."""

import argparse
from importlib.util import find_spec

PASSES_ON = True
"""All arguments go to snakemake."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arguments", nargs="*", metavar="...", help="targets and options of snakemake; default: all")


def run(options: argparse.Namespace) -> int:
    from sharpest.pipeline.why import print_stale

    if find_spec("snakemake") is None:  # checked here, because snakemake runs in a separate process
        raise ModuleNotFoundError("snakemake is not installed", name="snakemake")
    return print_stale(options.arguments)
