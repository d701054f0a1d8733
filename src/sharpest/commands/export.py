"""Write a file as npz, csv or NetCDF, as the ending of the new name says.

npz holds every array, and the attributes as JSON; csv a row for each point with every column; NetCDF (.nc) all of a
measure's arrays with named dimensions, through xarray, which is among the packages of sharpest[pipeline]. Vectors of
parameters are large, and left out unless they are asked for.
"""

import argparse
from pathlib import Path

from sharpest.commands.arguments import add_kind
from sharpest.results.exported import export


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a results file")
    parser.add_argument("output", type=Path, metavar="NEW", help="such as mine.npz, mine.csv or mine.nc")
    add_kind(parser)
    parser.add_argument("--vectors", action="store_true", help="parameters and eigenvectors as well")


def run(options: argparse.Namespace) -> int:
    export(options.file, options.output, options.vectors, options.kind)
    return 0
