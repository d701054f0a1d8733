"""Run the command that the user named; report any error in one line."""

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
    "look at results": {
        "list": "the runs of a results folder, and the measures of each",
        "show": "the contents of a file; for a run, every setting and the line that sets it",
        "eigs": "eigenvalues, their residuals, and eta lambda / 2",
        "open": "a Python prompt at any iteration of a run",
        "export": "write a file as npz, csv or NetCDF",
        "schema": "the contents of a kind of file: arrays, dimensions, units",
    },
    "import from elsewhere": {
        "import": "checkpoints of other programs, as a run to measure and plot",
    },
    "plan and check": {
        "forecast": "hours, memory and gigabytes of each figure and table",
        "why": "stale results, with the setting or module that changed",
        "verify": "check every byte of a results folder, and the inputs of each file",
    },
    "give results to others": {
        "bundle": "what figures, tables and claims are made from, in one file",
        "unbundle": "put such a file in place",
    },
    "write pages": {
        "gallery": "copy finished figures and tables into the docs",
        "reference": "write the pages of the docs that are generated from the code",
    },
    "set up": {
        "completion": "complete commands, options and runs in bash or zsh",
    },
}
"""Commands by purpose, each with a description; the module of a command has ``add_arguments`` and ``run``."""

COMMANDS = {name: line for group in GROUPS.values() for name, line in group.items()}


class UsageError(SharpestError):
    """Unknown command, or invalid arguments."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; errors are reported in one line.

    Args:
        arguments: Arguments of the command line; None = those of this process.

    Returns:
        The exit status: 0 for success, 2 for an invalid command line, 1 for other errors.
    """
    try:
        status = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except SharpestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        # the reader closed the pipe; redirect stdout, because the interpreter flushes it once more on exit
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
        # the arguments of another program follow its rules, not those of argparse
        passed_on = getattr(module, "PASSES_ON", False) and rest[:1] not in (["-h"], ["--help"])
        options = argparse.Namespace(arguments=rest) if passed_on else parser_of(name, module).parse_args(rest)
        status: int = module.run(options)
    return status


def module_of(name: str) -> ModuleType:
    """The module of a command.

    Raises:
        UsageError: If the command does not exist.
    """
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {close[0]}? See " if close else ""
        raise UsageError(f"sharpest has no command {name!r}; {hint or 'see '}sharpest --help")
    return import_module(f"{__package__}.{name}")


def parser_of(name: str, module: ModuleType) -> argparse.ArgumentParser:
    """The argument parser of a command."""
    parser = _Parser(
        prog=f"sharpest {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    return parser


def overview() -> str:
    """All commands by purpose, one line each."""
    width = max(map(len, COMMANDS))
    lines = ["usage: sharpest COMMAND [ARGUMENT]...", "", "Curvature along training: results, settings, costs."]
    for group, commands in GROUPS.items():
        lines += ["", group, *(f"   {name:<{width}}  {line}" for name, line in commands.items())]
    return "\n".join([*lines, "", "'sharpest COMMAND --help' lists the arguments of a command."])
