"""The command: one line for what is wrong, and no complaint about a reader who has seen enough."""

import subprocess
import sys

import pytest

from sharpest.pipeline.command import main

RUN = "scnn-c10-sgd-lr0.01-S128-s777"


def test_settings_are_shown_with_the_line_that_they_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", RUN, "--scale", "small"]) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"{RUN} at scale small\n")
    assert "config/scales/small.yaml:" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "scnn-c10-sgd-lr0.01-S128-s77"], f"is not in config/runs.tsv; did you mean {RUN}?"),
        (["show", RUN, "--scale", "smal"], "config/scales/smal.yaml"),
        (["show", RUN, "--configfile", "mine.yaml"], "mine.yaml"),
        (["forecast", "--scale", "smal"], "config/scales/smal.yaml"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_a_reader_may_stop_reading() -> None:
    command = f"import sys; from sharpest.pipeline.command import main; sys.exit(main(['show', '{RUN}']))"
    process = subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 1
