"""Every example of docs/command.md, run in the folder of a small run with the name that the page uses."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray
from builders import Run, run_settings

from sharpest.commands.main import main, overview

PAGE = (Path(__file__).parents[3] / "docs/command.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```\n(\$ .*?)```", PAGE, re.DOTALL)
EXAMPLES = [
    (command, [line for line in shown.splitlines() if line])
    for block in BLOCKS
    for command, _, shown in (example.partition("\n") for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:])
]
RUN = "scnn-c10-sgd-lr0.01-S128-s777"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its points are among those of the page, whose runs are longer."""
    folder = tmp_path_factory.mktemp("page")
    run = Run(folder / "results", run_settings(run=RUN, epochs=24)).train()
    run.measure_spectrum([0, 28, 56, 84, 112])
    run.measure_spectrum([4], schedule="grid")
    return folder


def output_of(command: str, folder: Path) -> str:
    """The output of a command of the page; with a pipe or a substitution, of a shell."""
    if not re.search(r"[|<$]", command):
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(io.StringIO()) as output,
            contextlib.suppress(SystemExit),
        ):
            assert main(shlex.split(command)[1:]) == 0
        return output.getvalue()
    python, root = Path(sys.executable), Path(__file__).parents[3]
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(root / "src")}
    command = command.replace("sharpest ", f"{python.name} -m sharpest ")
    result = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def without_numbers(line: str) -> list[str]:
    """Words of a line, with ``#`` for each number in any format."""
    return ["#" if re.fullmatch(r"-?\d+(\.\d+)?(e[-+]\d+)?", word) else word for word in re.split(r"[\s,]+", line)]


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_an_example_prints_what_the_page_shows(command: str, shown: list[str], folder: Path) -> None:
    """Word for word; the numbers are from another run."""
    lines = [line for line in output_of(command, folder).splitlines() if line]
    if shown:
        assert list(map(without_numbers, lines)) == list(map(without_numbers, shown))


def test_the_page_has_an_example_of_what_it_explains() -> None:
    explained = {"--help", "list", "show", "schema", "eigs", "open", "export", "completion"}
    assert {command.partition("sharpest ")[2].split()[0].rstrip(")") for command, _ in EXAMPLES} == explained
    assert f"$ sharpest --help\n{overview()}\n" in PAGE


def test_exported_files_are_read_as_the_page_says(folder: Path) -> None:
    for command, _ in EXAMPLES:
        if "export" in command:
            (folder / command.split()[3]).unlink(missing_ok=True)
            output_of(command, folder)
    with np.load(folder / "step.npz") as arrays, xarray.open_dataset(folder / "step.nc", engine="scipy") as data:
        np.testing.assert_array_equal(arrays["eigenvalues"], data["eigenvalues"])
        assert data["eigenvectors"].dims == ("v", "k", "p")
    assert "eigenvalues_0" in (folder / "step.csv").read_text()
