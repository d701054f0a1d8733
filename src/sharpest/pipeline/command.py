"""The command ``sharpest``, in the folder of the Snakefile."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sharpest.claims.ledger import Claim, read_ledgers
from sharpest.config.project import Project, load_project
from sharpest.config.reading import merge, read_yaml
from sharpest.errors import SharpestError
from sharpest.results.paths import Paths

CONFIG = Path("config")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; what is wrong is said in one line.

    Args:
        arguments: Of the command line; None = those of this process.

    Returns:
        The exit status.
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except SharpestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # whoever read the pipe has seen enough; the interpreter flushes once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sharpest", description="Curvature along training: settings, costs, results.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    show = commands.add_parser("show", help="print every setting of a run, and the line that it comes from")
    show.add_argument("id", metavar="RUN", help="a row of config/runs.tsv, or one of the scale's own runs")
    _add_scale(show)
    show.set_defaults(run=_show)

    why = commands.add_parser("why", help="list what is stale, with the setting or module that changed")
    why.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="targets and options of snakemake")
    why.set_defaults(run=_why)

    forecast = commands.add_parser("forecast", help="hours, memory and gigabytes of each figure and table")
    forecast.add_argument("--csv", type=Path, metavar="FILE", help="write the rows to this file as well")
    _add_scale(forecast)
    forecast.set_defaults(run=_forecast)

    verify = commands.add_parser("verify", help="check every byte of a results folder, and say what was made from what")
    verify.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="of a scale; else that of --scale")
    _add_scale(verify)
    verify.set_defaults(run=_verify)

    gallery = commands.add_parser("gallery", help="keep finished figures and tables beside the docs")
    gallery.add_argument("studies", nargs="*", metavar="STUDY", help="a finished figure or table, such as fig06")
    _add_scale(gallery)
    gallery.set_defaults(run=_gallery)

    reference = commands.add_parser("reference", help="write the pages that are made from the code into docs")
    reference.set_defaults(run=_reference)
    return parser


def _add_scale(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", help="a file in config/scales; else that of config/config.yaml")
    parser.add_argument("--configfile", type=Path, help="as snakemake is given it")


def _project(options: argparse.Namespace) -> Project:
    config = read_yaml(CONFIG / "config.yaml")
    if options.configfile:
        config = merge(config, read_yaml(options.configfile))
    return load_project({**config, **({"scale": options.scale} if options.scale else {})}, CONFIG)


def _claims(project: Project) -> dict[str, tuple[Claim, ...]]:
    """The ledgers, about the seeds that the workflow runs."""
    from sharpest.claims.plans import with_new_seeds

    return {ledger: with_new_seeds(claims, project) for ledger, claims in read_ledgers(CONFIG).items()}


def _show(options: argparse.Namespace) -> int:
    from sharpest.config.show import show

    print(show(_project(options), options.id))
    return 0


def _why(options: argparse.Namespace) -> int:
    from sharpest.pipeline.why import print_stale

    return print_stale(options.arguments)


def _forecast(options: argparse.Namespace) -> int:
    from sharpest.pipeline.forecast.command import print_forecast  # imports torch

    project = _project(options)
    print_forecast(project, _claims(project), options.csv)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from sharpest.pipeline.verify import print_verified

    return print_verified(options.folder or Paths.of(options.scale or _project(options).settings.scale).folder)


def _gallery(options: argparse.Namespace) -> int:
    from sharpest.pipeline.gallery.command import keep

    chosen = [f"--config scale={options.scale}"] * bool(options.scale)
    chosen += [f"--configfile {options.configfile}"] * bool(options.configfile)
    project = _project(options)
    keep(project, _claims(project), options.studies, chosen)
    return 0


def _reference(options: argparse.Namespace) -> int:
    from sharpest.config.reference import write_pages

    write_pages(Path("docs"))
    return 0
