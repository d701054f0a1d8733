"""The page on watching, run from top to bottom."""

import doctest
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import sharpest
from sharpest.watch import reading
from sharpest.watch.quantities import QUANTITIES

torch.set_num_threads(1)
PAGE = Path(__file__).parents[3] / "docs/watch.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
LINE = r"^(\d+) lambda_max \d\.\d+ \+- [\de.-]+ = 0\.\d{3} of the edge; \d+\.\d\d s$"


def test_the_examples_run(capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    logged: list[tuple[str, dict[str, float]]] = []
    names: dict[str, object] = {
        "writer": SimpleNamespace(add_scalar=lambda name, number, step: logged.append(("board", {name: number}))),
        "wandb": SimpleNamespace(log=lambda numbers, step: logged.append(("wandb", numbers))),
        "mlflow": SimpleNamespace(log_metrics=lambda numbers, step: logged.append(("mlflow", numbers))),
    }
    for block in BLOCKS:
        exec(block, names)
    output = capsys.readouterr().out
    assert re.findall(LINE, output, re.MULTILINE) == ["0", "50", "100", "150", "200"]
    assert "preconditioned" in output
    assert "('t', 'k')" in output


def test_each_line_for_a_logger_takes_the_numbers() -> None:
    block = next(block for block in BLOCKS if "wandb" in block)
    for line in block.splitlines():
        logged: list[object] = []
        note = SimpleNamespace(
            add_scalar=lambda name, number, step: logged.append((name, float(number), step)),  # noqa: B023
            log=lambda numbers, step: logged.append((dict(numbers), step)),  # noqa: B023
            log_metrics=lambda numbers, step: logged.append((dict(numbers), step)),  # noqa: B023
        )
        names: dict[str, object] = {"writer": note, "wandb": note, "mlflow": note}
        exec(line, names)
        monitor = sharpest.watch(
            torch.nn.Linear(2, 1),
            lambda model, batch: model(batch).square().mean(),
            [torch.ones(3, 2)],
            log=names["log"],
        )
        assert len(logged) in (1, len(monitor.last))


def test_the_page_begins_with_twelve_lines_whose_first_value_comes_in_ten_seconds() -> None:
    """In addition to the time that torch itself takes to import."""
    lines = [line for line in BLOCKS[0].splitlines() if line]
    assert len(lines) <= 12
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    torch_alone = time.perf_counter() - began
    with subprocess.Popen([sys.executable, "-u", "-c", BLOCKS[0]], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        seconds = time.perf_counter() - began - torch_alone
        process.stdout.read()
    assert re.match(LINE, first.strip())
    assert seconds < 10 + torch_alone


def test_the_example_of_a_reading() -> None:
    assert doctest.testmod(reading) == (0, 1)


def test_the_first_page_of_the_project_has_the_same_lines() -> None:
    assert BLOCKS[0] in (PAGE.parents[1] / "README.md").read_text()


def test_the_page_names_every_quantity_and_shows_the_output() -> None:
    page = PAGE.read_text()
    assert all(f"| `{name}` |" in page for name in QUANTITIES)
    shown = page.partition("```\n0 lambda_max")[2].partition("```")[0]
    assert re.match(LINE, "0 lambda_max" + shown.splitlines()[0])
