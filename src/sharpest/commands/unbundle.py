"""Put a file of sharpest bundle in place: results/<scale>, and the configuration that it needs.

Every byte is checked before anything is changed. Figures, tables, claims and the report are then made of it, and
nothing is trained or measured. Run it in the folder of the Snakefile.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="as sharpest bundle wrote it")
    parser.add_argument(
        "--force", action="store_true", help="replace results and configuration that are there; they are kept aside"
    )


def run(options: argparse.Namespace) -> int:
    from sharpest.pipeline.bundle.unpack import unpack

    print(unpack(options.file, options.force))
    return 0
