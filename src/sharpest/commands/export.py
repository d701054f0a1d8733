"""Write a file as npz, csv or NetCDF; the ending of the new name chooses the format.

npz holds every array, and the attributes as JSON. csv holds one row per point, with every column. NetCDF (.nc) holds a
measure's arrays with named dimensions; it needs xarray, a package of sharpest[pipeline]. Parameters and eigenvectors
are large, and are written only with --vectors.
"""

import argparse
from pathlib import Path

from sharpest.commands.arguments import add_kind
from sharpest.results.exported import export


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a results file")
    parser.add_argument("output", type=Path, metavar="NEW", help="such as mine.npz, mine.csv or mine.nc")
    add_kind(parser)
    parser.add_argument("--vectors", action="store_true", help="write parameters and eigenvectors as well")


def run(options: argparse.Namespace) -> int:
    export(options.file, options.output, options.vectors, options.kind)
    return 0
