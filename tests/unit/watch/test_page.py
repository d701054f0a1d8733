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
LIGHTNING, TRANSFORMERS = (block for block in ALL if block not in BLOCKS)
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


def test_the_example_with_lightning_runs_on_a_stand_in(stand_in: Any) -> None:
    """The real library: tests/unit/integrations, where it is installed."""
    logged: list[tuple[int, list[str]]] = []

    class Trainer:
        is_global_zero, global_step = True, 0

        def __init__(self, callbacks: list[Any]) -> None:
            self.callbacks = callbacks
            self.loggers = [SimpleNamespace(log_metrics=lambda numbers, step: logged.append((step, list(numbers))))]

        def fit(self, module: torch.nn.Module) -> None:
            self.optimizers, (callback,) = [torch.optim.SGD(module.parameters(), lr=0.5)], self.callbacks
            callback.on_train_start(self, module)
            for number in range(100):
                self.optimizers[0].step()
                callback.on_train_batch_end(self, module, None, None, number)
            callback.teardown(self, module, "fit")

    stand_in("lightning", "lightning.pytorch", Callback=object, LightningModule=torch.nn.Module, Trainer=Trainer)
    names: dict[str, Any] = {}
    exec(BLOCKS[0].partition("\nmonitor")[0] + "\n" + LIGHTNING, names)
    names["trainer"].fit(names["net"])
    assert [step for step, _ in logged] == [0, 100]
    assert "curvature/lambda_max" in logged[0][1]


def test_the_example_with_transformers_runs_on_a_stand_in(stand_in: Any, capsys: pytest.CaptureFixture[str]) -> None:
    class Trainer:
        def __init__(self, model: torch.nn.Module, arguments: Any, train_dataset: Any, callbacks: list[Any]) -> None:
            self.model, (self.callback,) = model, callbacks

        def train(self) -> None:
            state = SimpleNamespace(is_world_process_zero=True, global_step=0)
            optimizer = torch.optim.SGD(self.model.parameters(), lr=0.5)
            self.callback.on_train_begin(None, state, None, model=self.model, optimizer=optimizer)
            for _ in range(100):
                self.callback.on_step_end(None, state, None)
            self.callback.on_train_end(None, state, None)

    class Model(torch.nn.Linear):
        def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(loss=torch.nn.functional.cross_entropy(super().forward(inputs), labels))

    classes = ("TrainerCallback", "TrainerControl", "TrainerState", "TrainingArguments")
    stand_in("transformers", Trainer=Trainer, **dict.fromkeys(classes, object))
    batches = [{"inputs": torch.randn(8, 5), "labels": torch.arange(8) % 3}]
    names: dict[str, Any] = {"model": Model(5, 3), "arguments": None, "data": None, "batches": batches}
    exec(TRANSFORMERS, names)
    names["trainer"].train()
    assert re.findall(r"^(\d+) lambda_max", capsys.readouterr().out, re.MULTILINE) == ["0", "100"]


def test_the_example_of_a_reading() -> None:
    assert doctest.testmod(sharpest.watch.monitor) == (0, 1)


def test_the_first_page_of_the_project_has_the_same_lines() -> None:
    assert BLOCKS[0] in (PAGE.parents[1] / "README.md").read_text()
