"""Arguments shared by several commands: a scale, a results folder, a run at an iteration."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sharpest.errors import ConfigError
from sharpest.results.runs import Results, open_results, scale_in

if TYPE_CHECKING:
    from sharpest.claims.ledger import Claim
    from sharpest.config.project import Project

CONFIG = Path("config")


def add_scale(parser: argparse.ArgumentParser) -> None:
    """The options of commands that read the configuration."""
    parser.add_argument("--scale", help="a file in config/scales; default: the scale in config/config.yaml")
    parser.add_argument("--configfile", type=Path, metavar="FILE", help="as passed to snakemake")


def add_results(parser: argparse.ArgumentParser) -> None:
    """The options of commands that read a results folder."""
    parser.add_argument(
        "--scale", help="a folder in the results; default: the scale in config/config.yaml, or the only one"
    )
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")


def add_kind(parser: argparse.ArgumentParser) -> None:
    """The option of commands that read a file, which may hold several layouts."""
    parser.add_argument("--kind", help="part of a file with several, such as a monitor's: spectra, critical, ...")


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option of commands that print a table."""
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def chosen_results(options: argparse.Namespace) -> Results:
    """The results of the chosen scale.

    Raises:
        StoreError: If they do not exist, or the choice of the scale is ambiguous.
    """
    return open_results(options.results, chosen_scale(options))


def chosen_scale(options: argparse.Namespace) -> str:
    """The scale in the options, else that of ``scale_in``.

    Raises:
        StoreError: If there are no results, or those of several scales.
    """
    return str(options.scale or scale_in(options.results))


def in_project(folder: Path) -> Path:
    """A folder of the project itself.

    Raises:
        ConfigError: If the current folder does not have it.
    """
    if not folder.is_dir():
        raise ConfigError(f"no folder {folder}; run this command in the folder of the Snakefile")
    return folder


def run_and_iteration(text: str) -> tuple[str, int]:
    """The two parts of ``<run>@<iteration>``.

    Raises:
        ConfigError: If the text has another form.
    """
    match = re.fullmatch(r"(.+)@(\d+)", text)
    if match is None:
        raise ConfigError(f"{text!r} is neither an existing file nor a run at an iteration, such as RUN@120")
    return match[1], int(match[2])


def chosen_project(options: argparse.Namespace, checked: bool = True) -> "Project":
    """The configuration in the current folder; see ``load_project``.

    Raises:
        ConfigError: If it is invalid.
    """
    from sharpest.config.project import load_project
    from sharpest.config.reading import merge, read_keys
    from sharpest.pipeline.bundle.placed import with_bundle

    config = read_keys(in_project(CONFIG) / "config.yaml")
    if options.configfile:
        config = merge(config, read_keys(options.configfile))
    config = with_bundle({**config, **({"scale": options.scale} if options.scale else {})})
    return load_project(config, CONFIG, checked)


def claims_of(project: "Project") -> "dict[str, tuple[Claim, ...]]":
    """The claims of each ledger, extended to the seeds that the workflow runs."""
    from sharpest.claims.ledger import read_ledgers
    from sharpest.claims.plans import with_new_seeds

    return {ledger: with_new_seeds(claims, project) for ledger, claims in read_ledgers(CONFIG).items()}
