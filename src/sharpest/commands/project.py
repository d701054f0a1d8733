"""Commands on a whole project: plan and check it, give its results to others, write its pages; completion."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from sharpest.commands.arguments import OF_PROJECT, argument, chosen_project, claims_of, command, in_project
from sharpest.results.paths import Paths


@command(
    "forecast", argument("--csv", type=Path, metavar="FILE", help="write the rows to this file as well"), *OF_PROJECT
)
def forecast(options: argparse.Namespace) -> int:
    """Hours, memory and gigabytes of each figure and table."""
    project = chosen_project(options)
    from sharpest.pipeline.forecast import print_forecast
    from sharpest.pipeline.speeds import measure_speeds

    print_forecast(project, claims_of(project), measure_speeds(project), options.csv)
    return 0


@command(
    "why",
    argument("arguments", nargs="*", metavar="...", help="targets and options of snakemake; default: all"),
    passes_on=True,
)
def why(options: argparse.Namespace) -> int:
    """Stale results, with the setting or module that changed."""
    from sharpest.pipeline.why import print_stale

    if find_spec("snakemake") is None:  # checked here, because snakemake runs in a separate process
        raise ModuleNotFoundError("snakemake is not installed", name="snakemake")
    return print_stale(options.arguments)


@command(
    "verify",
    argument("folder", nargs="?", type=Path, metavar="FOLDER", help="results of a scale; default: those of --scale"),
    argument("--list", action="store_true", dest="listed", help="each correct file, with its digest and its sources'"),
    *OF_PROJECT,
)
def verify(options: argparse.Namespace) -> int:
    """Check every byte of a results folder, and the inputs that each file was made from."""
    from sharpest.pipeline.verify import print_verified

    folder = options.folder or Paths.of(options.scale or chosen_project(options).settings.scale).folder
    return print_verified(folder, options.listed)


@command("bundle", *OF_PROJECT, argument("--output", type=Path, metavar="FILE", help="default: sharpest-<scale>.zip"))
def bundle(options: argparse.Namespace) -> int:
    """Pack what figures, tables, claims and the report of a scale are made from into a file: a Workflow Run RO-Crate.

    States of runs, eigenvectors and data are left out; docs/bundle.md says what that means. Run it in the folder of the
    Snakefile, when all is made.
    """
    from sharpest.pipeline.bundle import pack

    project = chosen_project(options)
    print(pack(project, claims_of(project), Path(), options.output or Path(f"sharpest-{project.settings.scale}.zip")))
    return 0


@command(
    "unbundle",
    argument("file", type=Path, metavar="FILE", help="as sharpest bundle wrote it"),
    argument("--force", action="store_true", help="replace results and configuration; the old ones are kept aside"),
)
def unbundle(options: argparse.Namespace) -> int:
    """Put a file of sharpest bundle in place: results/<scale>, and the configuration that it needs.

    Every byte is checked before anything is changed. Figures, tables, claims and the report are then made of it, and
    nothing is trained or measured. Run it in the folder of the Snakefile.
    """
    from sharpest.pipeline.unbundle import unpack

    print(unpack(options.file, options.force))
    return 0


@command(
    "gallery",
    argument("studies", nargs="*", metavar="STUDY", help="a finished figure or table, such as fig06"),
    *OF_PROJECT,
)
def gallery(options: argparse.Namespace) -> int:
    """Copy finished figures and tables into the docs."""
    from sharpest.pipeline.gallery import keep

    chosen = [f"--config scale={options.scale}"] * bool(options.scale)
    chosen += [f"--configfile {options.configfile}"] * bool(options.configfile)
    project = chosen_project(options)
    keep(project, claims_of(project), options.studies, chosen)
    return 0


@command("reference")
def reference(options: argparse.Namespace) -> int:
    """Write the pages of the docs that are generated from the code."""
    from sharpest.config.reference import write_pages

    write_pages(in_project(Path("docs")))
    return 0


_ALL = Paths(Path("results") / "*")

_SCRIPT = """\
_sharpest() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} known= file
    if ((COMP_CWORD == 1)); then
        known="{commands}"
    elif [[ $current == -* ]]; then
        case ${{COMP_WORDS[1]}} in
{options}
        esac
    else
        case ${{COMP_WORDS[1]}} in
{choices}
            {with_runs})
                for file in {snapshots}; do
                    [[ -e $file ]] || continue
                    file=${{file#{before}}} known+=" ${{file%{behind}}}"
                done ;;
        esac
        COMPREPLY=($(compgen -f -- "$current"))
    fi
    COMPREPLY+=($(compgen -W "$known" -- "$current"))
}}
complete -o filenames -F _sharpest sharpest
"""
_ZSH = "autoload -Uz +X compinit bashcompinit\n(( $+functions[compdef] )) || compinit\nbashcompinit\n"


@command("completion", argument("shell", choices=["bash", "zsh"], help="print the script for this shell"))
def print_completion(options: argparse.Namespace) -> int:
    """Complete commands, options, runs and files.

    In ~/.bashrc: source <(sharpest completion bash); in ~/.zshrc: source <(sharpest completion zsh). Runs are completed
    from the folder results in the current folder.
    """
    print((_ZSH if options.shell == "zsh" else "") + _script(), end="")
    return 0


def _script() -> str:
    from sharpest.commands.main import MODULES, parser_of

    parsers = {name: parser_of(name) for name in MODULES}
    options = {name: " ".join(_options(parser)) for name, parser in parsers.items()}
    choices = {name: " ".join(_choices(parser)) for name, parser in parsers.items()}
    one, two = (_ALL.snapshots(run) for run in ("*", "*/*"))  # the second for branches
    return _SCRIPT.format(
        commands=" ".join(MODULES),
        options="\n".join(_case(name, words) for name, words in options.items()),
        choices="\n".join(_case(name, words) for name, words in choices.items() if words),
        with_runs="|".join(name for name, parser in parsers.items() if _takes_runs(parser)),
        snapshots=f"{one} {two}",
        before=f"{one.parent.parent}/",
        behind=f"/{one.name}",
    )


def _case(name: str, words: str) -> str:
    return f'            {name}) known="{words}" ;;'


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]


def _choices(parser: argparse.ArgumentParser) -> list[str]:
    return [word for action in parser._actions if not action.option_strings for word in action.choices or ()]


def _takes_runs(parser: argparse.ArgumentParser) -> bool:
    return any("RUN" in str(action.metavar) for action in parser._actions)
