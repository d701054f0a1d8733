"""Find the command that is given, and say in one line what is wrong."""

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from sharpest import __version__
from sharpest.errors import SharpestError, needs_pipeline

GROUPS = {
    "look at what is stored": {
        "list": "the runs of a results folder, and what was measured on each",
        "show": "what a file holds; of a run every setting, and the line that it comes from",
        "eigs": "eigenvalues, their residuals, and eta lambda / 2",
        "open": "a Python prompt at any iteration of a run",
        "export": "write a file as npz, csv or NetCDF",
        "schema": "what a kind of file holds: arrays, dimensions, units",
    },
    "bring what was made elsewhere": {
        "import": "checkpoints of others, as a run that is measured and drawn like any",
    },
    "plan and check the work": {
        "forecast": "hours, memory and gigabytes of each figure and table",
        "why": "what is stale, with the setting or module that changed",
        "verify": "check every byte of a results folder, and what was made from what",
    },
    "give results to others": {
        "bundle": "what figures, tables and claims are made from, in one file",
        "unbundle": "put such a file in place",
    },
    "write pages": {
        "gallery": "keep finished figures and tables beside the docs",
        "reference": "write the pages that are made from the code into docs",
    },
    "set up": {
        "completion": "complete commands, options and runs in bash or zsh",
    },
}
"""Commands by what they are for, each with a line; a command's module has ``add_arguments`` and ``run``."""

COMMANDS = {name: line for group in GROUPS.values() for name, line in group.items()}


class UsageError(SharpestError):
    """What was typed is no command, or not what it takes."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; what is wrong is said in one line.

    Args:
        arguments: Of the command line; None = those of this process.

    Returns:
        The exit status: 1 where something is wrong, 2 where it is the command line.
    """
    try:
        status = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except SharpestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        # whoever read the pipe has seen enough; the interpreter flushes once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:2], "--help"]
    match arguments:
        case []:
            print(overview())
            return 1
        case ["-h" | "--help", *_]:
            print(overview())
            return 0
        case ["--version", *_]:
            print(f"sharpest {__version__}")
            return 0
    name, *rest = arguments
    with needs_pipeline(f"sharpest {name}"):
        module = module_of(name)
        options = parser_of(name, module).parse_args(rest)
        status: int = module.run(options)
    return status


def module_of(name: str) -> ModuleType:
    """The module of a command.

    Raises:
        UsageError: If there is no such command.
    """
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UsageError(f"sharpest has no command {name!r}; {hint}See sharpest --help")
    return import_module(f"{__package__}.{name}")


def parser_of(name: str, module: ModuleType) -> argparse.ArgumentParser:
    """What a command takes."""
    parser = _Parser(
        prog=f"sharpest {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    return parser


def overview() -> str:
    """All commands by what they are for, a line each."""
    width = max(map(len, COMMANDS))
    lines = ["usage: sharpest COMMAND [ARGUMENT]...", "", "Curvature along training: results, settings, costs."]
    for group, commands in GROUPS.items():
        lines += ["", group, *(f"   {name:<{width}}  {line}" for name, line in commands.items())]
    return "\n".join([*lines, "", "'sharpest COMMAND --help' says what a command takes."])
