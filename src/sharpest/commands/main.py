"""Run the command that the user named; report any error in one line."""

import argparse
import inspect
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from sharpest import __version__
from sharpest.commands.arguments import COMMANDS, Command
from sharpest.errors import SharpestError, meant, needs_pipeline

GROUPS = {
    "look at results": {
        "list": ("results", "the runs of a results folder, and the measures of each"),
        "show": ("results", "the contents of a file; for a run, every setting and the line that sets it"),
        "eigs": ("eigs", "eigenvalues, their residuals, and eta lambda / 2"),
        "open": ("results", "a Python prompt at any iteration of a run"),
        "export": ("results", "write a file as npz, csv or NetCDF"),
        "schema": ("results", "the contents of a kind of file: arrays, dimensions, units"),
    },
    "import from elsewhere": {
        "import": ("importing", "checkpoints of other programs, as a run to measure and plot"),
    },
    "plan and check": {
        "forecast": ("project", "hours, memory and gigabytes of each figure and table"),
        "why": ("project", "stale results, with the setting or module that changed"),
        "verify": ("project", "check every byte of a results folder, and the inputs of each file"),
    },
    "give results to others": {
        "bundle": ("project", "what figures, tables and claims are made from, in one file"),
        "unbundle": ("project", "put such a file in place"),
    },
    "write pages": {
        "gallery": ("project", "copy finished figures and tables into the docs"),
        "reference": ("project", "write the pages of the docs that are generated from the code"),
    },
    "set up": {
        "completion": ("project", "complete commands, options and runs in bash or zsh"),
    },
}
"""Commands by purpose, each with the module that declares it and a description."""
MODULES = {name: module for group in GROUPS.values() for name, (module, _) in group.items()}


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
        chosen = command_of(name)
        # the arguments of another program follow its rules, not those of argparse
        passed_on = chosen.passes_on and rest[:1] not in (["-h"], ["--help"])
        options = argparse.Namespace(arguments=rest) if passed_on else parser_of(name).parse_args(rest)
        return chosen.run(options)


def command_of(name: str) -> Command:
    """The declaration of a command; only its module is imported.

    Raises:
        UsageError: If the command does not exist.
    """
    if name not in MODULES:
        hint = f"{close} See " if (close := meant(name, MODULES)) else "see "
        raise UsageError(f"sharpest has no command {name!r}; {hint}sharpest --help")
    import_module(f"{__package__}.{MODULES[name]}")
    return COMMANDS[name]


def parser_of(name: str) -> argparse.ArgumentParser:
    """The argument parser of a command."""
    parser = _Parser(
        prog=f"sharpest {name}",
        description=inspect.getdoc(command_of(name).run),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for names, options in command_of(name).arguments:
        parser.add_argument(*names, **options)
    return parser


def overview() -> str:
    """All commands by purpose, one line each."""
    width = max(map(len, MODULES))
    lines = ["usage: sharpest COMMAND [ARGUMENT]...", "", "Curvature along training: results, settings, costs."]
    for group, commands in GROUPS.items():
        lines += ["", group, *(f"   {name:<{width}}  {line}" for name, (_, line) in commands.items())]
    return "\n".join([*lines, "", "'sharpest COMMAND --help' lists the arguments of a command."])
