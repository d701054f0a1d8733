"""The command ``completion``."""

import argparse
from pathlib import Path

from sharpest.commands.arguments import argument, command
from sharpest.results.paths import Paths

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
