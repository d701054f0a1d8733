"""Completion, tested in the shells themselves."""

import shutil
import subprocess
from pathlib import Path

import pytest

from sharpest.commands.main import MODULES, main

RUN = "scnn-c10-sgd-lr0.01-S128-s777"

_ASK = """
source completion.{shell}
COMP_WORDS=({words} "{current}") COMP_CWORD={place} COMPREPLY=()
_sharpest
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"there is no {request.param}")
    assert main(["completion", request.param]) == 0
    (tmp_path / f"completion.{request.param}").write_text(capsys.readouterr().out)
    return str(request.param)


def completed(shell: str, folder: Path, *words: str) -> set[str]:
    """The completions of the last word."""
    *before, current = words
    script = _ASK.format(shell=shell, words=" ".join(before), current=current, place=len(before))
    if shell == "zsh":  # as its bashcompinit calls the function
        source, _, ask = script.lstrip().partition("\n")
        script = f"{source}\nPREFIX='{current}'\nemulate -L sh -o kshglob +o shglob\n{ask}"
    run = subprocess.run([shell, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    # bash filters mismatches in the function, zsh afterwards
    return {word for word in run.stdout.split() if word.startswith(current)}


def test_commands_options_and_choices(shell: str, tmp_path: Path) -> None:
    assert completed(shell, tmp_path, "sharpest", "") == set(MODULES)
    assert completed(shell, tmp_path, "sharpest", "sh") == {"show"}
    assert completed(shell, tmp_path, "sharpest", "eigs", "--") == {
        "--help",
        "--at",
        "--kind",
        "--scale",
        "--results",
        "--json",
    }
    assert completed(shell, tmp_path, "sharpest", "completion", "z") == {"zsh"}


def test_runs_and_files(shell: str, tmp_path: Path) -> None:
    for run in (RUN, f"{RUN}@e4/top"):
        snapshots = tmp_path / "results/quick/runs" / run / "snapshots.h5"
        snapshots.parent.mkdir(parents=True)
        snapshots.touch()
    (tmp_path / "scnn.h5").touch()
    assert completed(shell, tmp_path, "sharpest", "eigs", "scnn") == {RUN, f"{RUN}@e4/top", "scnn.h5"}
    assert completed(shell, tmp_path, "sharpest", "export", "scnn") == {"scnn.h5"}
