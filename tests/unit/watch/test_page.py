"""The page on watching, run from top to bottom."""

import doctest
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import sharpest
import sharpest.watch.monitor

torch.set_num_threads(1)
PAGE = Path(__file__).parents[3] / "docs/watch.md"
ALL = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
BLOCKS = [block for block in ALL if "sharpest.integrations" not in block]
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
        take = lambda *given, **_: logged.append(given)  # noqa: B023, E731
        note = SimpleNamespace(**dict.fromkeys(("add_scalar", "log", "log_metrics"), take))
        names: dict[str, Any] = {"writer": note, "wandb": note, "mlflow": note}
        exec(line, names)
        last = sharpest.watch(torch.nn.Linear(2, 1), squared, [torch.ones(3, 2)], log=names["log"]).last
        assert len(logged) in (1, len(last))


def squared(model: Any, batch: torch.Tensor) -> torch.Tensor:
    return model(batch).square().mean()


def test_the_example_of_a_reading() -> None:
    assert doctest.testmod(sharpest.watch.monitor) == (0, 1)


def test_the_first_page_of_the_project_has_the_same_lines() -> None:
    assert BLOCKS[0] in (PAGE.parents[1] / "README.md").read_text()
