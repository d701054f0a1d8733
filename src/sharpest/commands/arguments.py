"""What several commands take: a scale, a results folder, a run at an iteration."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sharpest.errors import ConfigError, StoreError
from sharpest.results.runs import Results, open_results

if TYPE_CHECKING:
    from sharpest.claims.ledger import Claim
    from sharpest.config.project import Project

CONFIG = Path("config")


def add_scale(parser: argparse.ArgumentParser) -> None:
    """The options of commands that read the configuration."""
    parser.add_argument("--scale", help="a file in config/scales; else that of config/config.yaml")
    parser.add_argument("--configfile", type=Path, metavar="FILE", help="as snakemake is given it")


def add_results(parser: argparse.ArgumentParser) -> None:
    """The options of commands that read a results folder."""
    parser.add_argument("--scale", help="a folder of the results; else that of config/config.yaml, or the only one")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")


def add_kind(parser: argparse.ArgumentParser) -> None:
    """The option of commands that read a file, which may hold several kinds."""
    parser.add_argument("--kind", help="of a file of several, such as that of a monitor: spectra, critical, ...")


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option of commands that print a table."""
    parser.add_argument("--json", action="store_true", help="all of it, for other programs")


def chosen_results(options: argparse.Namespace) -> Results:
    """The results folder of the scale that is meant.

    Raises:
        StoreError: If there is none, or it is not clear which.
    """
    return open_results(options.results, chosen_scale(options))


def chosen_scale(options: argparse.Namespace) -> str:
    """The scale that is given, else that of the configuration, else the only one that has results.

    Raises:
        StoreError: If it is not clear which.
    """
    if options.scale:
        return str(options.scale)
    config = CONFIG / "config.yaml"
    if config.exists():
        try:
            from sharpest.config.yaml_file import read_yaml_file
        except ModuleNotFoundError:  # the core alone is installed
            pass
        else:
            return str(read_yaml_file(config).values["scale"])
    scales = sorted(path.name for path in options.results.glob("*/"))
    if len(scales) != 1:
        raise StoreError(f"{options.results} has {', '.join(scales) or 'no scale'}; say which with --scale")
    return scales[0]


def run_and_iteration(text: str) -> tuple[str, int]:
    """The two parts of ``<run>@<iteration>``.

    Raises:
        ConfigError: If it is something else.
    """
    found = re.fullmatch(r"(.+)@(\d+)", text)
    if found is None:
        raise ConfigError(f"{text!r} is neither a file that exists nor a run at an iteration, such as RUN@120")
    return found[1], int(found[2])


def chosen_project(options: argparse.Namespace) -> "Project":
    """The configuration of this folder.

    Raises:
        ConfigError: If something is wrong with it.
    """
    from sharpest.config.project import load_project
    from sharpest.config.reading import merge, read_yaml
    from sharpest.pipeline.bundle.placed import with_bundle

    config = read_yaml(CONFIG / "config.yaml")
    if options.configfile:
        config = merge(config, read_yaml(options.configfile))
    config = with_bundle({**config, **({"scale": options.scale} if options.scale else {})})
    return load_project(config, CONFIG)


def claims_of(project: "Project") -> "dict[str, tuple[Claim, ...]]":
    """The ledgers, about the seeds that the workflow runs."""
    from sharpest.claims.ledger import read_ledgers
    from sharpest.claims.plans import with_new_seeds

    return {ledger: with_new_seeds(claims, project) for ledger, claims in read_ledgers(CONFIG).items()}
