"""How commands are declared, the arguments that they share, and how they print tables."""

import argparse
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sharpest.errors import ConfigError
from sharpest.results.runs import scale_in

if TYPE_CHECKING:
    from sharpest.claims.ledger import Claim
    from sharpest.config.project import Project

CONFIG = Path("config")

Argument = tuple[tuple[str, ...], dict[str, Any]]
"""Names and options of an argument, as for ``argparse``."""


class Command(NamedTuple):
    """A command of the command line.

    Attributes:
        run: Takes the parsed options, returns the exit status; its docstring describes the command.
        arguments: Its arguments.
        passes_on: Whether they belong to another program, so that they are taken as they are.
    """

    run: Callable[[argparse.Namespace], int]
    arguments: tuple[Argument, ...]
    passes_on: bool


COMMANDS: dict[str, Command] = {}
"""The commands of the modules that are imported, by name."""


def argument(*names: str, **options: Any) -> Argument:
    """One argument of a command."""
    return names, options


def command(
    name: str, *arguments: Argument, passes_on: bool = False
) -> Callable[[Callable[[argparse.Namespace], int]], Callable[[argparse.Namespace], int]]:
    """Declare a function as a command."""

    def declare(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
        COMMANDS[name] = Command(run, arguments, passes_on)
        return run

    return declare


OF_PROJECT = (
    argument("--scale", help="a file in config/scales; default: the scale in config/config.yaml"),
    argument("--configfile", type=Path, metavar="FILE", help="as passed to snakemake"),
)
"""The options of commands that read the configuration."""
RESULTS = argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
OF_RESULTS = (
    argument("--scale", help="a folder in the results; default: the scale in config/config.yaml, or the only one"),
    RESULTS,
)
"""The options of commands that read a results folder."""
KIND = argument("--kind", help="part of a file with several, such as a monitor's: spectra, critical, ...")
JSON = argument("--json", action="store_true", help="print everything as JSON")


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
    from sharpest.pipeline.placed import with_bundle

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


def as_json(value: Any) -> str:
    """JSON of mappings, lists and arrays; numbers that are not finite become null."""
    return json.dumps(_plain(value), indent=1)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
