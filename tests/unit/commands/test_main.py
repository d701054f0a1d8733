"""The command: grouped help, one-line errors, and no error when a reader closes the pipe."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import sharpest
from sharpest import commands
from sharpest.commands import arguments
from sharpest.commands.main import GROUPS, MODULES, main

RUN = "scnn-c10-sgd-lr0.01-S128-s777"


def test_settings_are_shown_with_the_line_that_they_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", RUN, "--scale", "small"]) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"{RUN} at scale small\n")
    assert "config/scales/small.yaml:" in output


@pytest.mark.parametrize(("arguments", "status"), [([], 1), (["--help"], 0), (["help"], 0), (["-h"], 0)])
def test_the_overview_has_every_command_on_a_line_of_its_group(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == status
    blocks = [block.splitlines() for block in capsys.readouterr().out.split("\n\n")]
    actual = {block[0]: {line.split()[0] for line in block[1:]} for block in blocks if block[0] in GROUPS}
    assert actual == {group: set(commands) for group, commands in GROUPS.items()}


def test_every_declared_command_is_listed() -> None:
    folder = Path(commands.__file__).parent
    for path in folder.glob("*.py"):
        import_module(f"{commands.__name__}.{path.stem}")
    assert arguments.COMMANDS.keys() == MODULES.keys()


@pytest.mark.parametrize("name", MODULES)
def test_each_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([name, "--help"], ["help", name]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: sharpest {name} ")


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sharpest {sharpest.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["show", "scnn-c10-sgd-lr0.01-S128-s77"], 1, f"is not in config/runs.tsv; did you mean {RUN}?"),
        (["show", RUN, "--scale", "smal"], 1, "config/scales/smal.yaml"),
        (["show", RUN, "--configfile", "mine.yaml"], 1, "mine.yaml"),
        (["forecast", "--scale", "smal"], 1, "config/scales/smal.yaml"),
        (["eig"], 2, "has no command 'eig'; did you mean eigs?"),
        (["--scale", "quick"], 2, "has no command '--scale'; see sharpest --help"),
        (["list", "--scal", "quick"], 2, "unrecognized arguments: --scal; see sharpest list --help"),
        (["eigs"], 2, "required: FILE|RUN@ITERATION; see sharpest eigs --help"),
    ],
)
def test_an_error_is_one_line(
    arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


@pytest.mark.parametrize("content", ["", "- scale", "3", "{}", "device: cpu", None])
@pytest.mark.parametrize("command", [["forecast"], ["show", RUN], ["list"], ["verify"]])
def test_a_configuration_without_keys_is_one_line(
    command: list[str],
    content: str | None,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None is a pipe, which a reader would wait for."""
    monkeypatch.chdir(tmp_path)
    config = Path("config/config.yaml")
    config.parent.mkdir()
    if content is None:
        os.mkfifo(config)
    else:
        config.write_text(content)
    assert main(command) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: config")
    wanted = {None: "is not a regular file", "{}": "scale is missing", "device: cpu": "scale is missing"}
    assert wanted.get(content, "config/config.yaml holds no keys with values; correct or restore it") in line


def test_a_reader_may_close_the_pipe() -> None:
    command = f"import sys; from sharpest.commands.main import main; sys.exit(main(['show', '{RUN}']))"
    process = subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 1


@pytest.mark.parametrize(("command", "folder"), [("reference", "docs"), ("forecast", "config")])
def test_commands_on_the_project_run_in_its_folder(
    command: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([command]) == 1
    assert capsys.readouterr().err == f"error: no folder {folder}; run this command in the folder of the Snakefile\n"
