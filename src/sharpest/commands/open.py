"""A Python prompt at any iteration of a run, measured or not; ``point`` is the result of sharpest.open_point.

Code on the standard input is run instead of a prompt: echo 'print(point.lr)' | sharpest open RUN@120
"""

import argparse
import code
import sys

from sharpest.commands.arguments import add_results, chosen_scale, run_and_iteration
from sharpest.errors import StoreError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("point", metavar="RUN@ITERATION", help="a trained run, and a number of completed updates")
    add_results(parser)


def run(options: argparse.Namespace) -> int:
    name, iteration = run_and_iteration(options.point)
    import torch

    from sharpest.measures.opening import open_point

    try:
        point = open_point(name, iteration, chosen_scale(options), options.results)
    except ValueError as error:
        raise StoreError(str(error)) from None
    names = {"point": point, "torch": torch}
    if not sys.stdin.isatty():
        # as python does with its standard input
        exec(compile(sys.stdin.read(), "<stdin>", "exec"), names)  # noqa: S102
        return 0
    measured = "" if point.eigenvalues is None else f", lambda_max {float(point.eigenvalues[0]):.4g}"
    banner = f"point: {name} at iteration {iteration}, {point.num_parameters:,} parameters, eta {point.lr:g}{measured}"
    code.interact(f"{banner}\nhelp(point) lists its attributes; torch is imported", local=names, exitmsg="")
    return 0
