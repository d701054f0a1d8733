"""docs/import.md up to its figure, word for word, and inputs that it refuses."""

import argparse
import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import sharpest
from sharpest.commands.main import main
from sharpest.config.project import load_project
from sharpest.config.reading import read_keys
from sharpest.errors import ConfigError, DataError, StoreError
from sharpest.results.stored import Snapshots

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/import.md").read_text()
(MODULE,) = re.findall(r"```python\n# new file: mine.py\n(.*?)```", PAGE, re.DOTALL)
(TRAIN,) = re.findall(r"```python\n# run\n(.*?)```", PAGE, re.DOTALL)
COMMAND, SHOWN = re.search(r"```\n\$ sharpest (import .*?)\n(.*?)```", PAGE, re.DOTALL).groups()
RUN = "net-data-sgd-lr0.5-S32-s0"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the module and the checkpoints of the page."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "mine.py").write_text(MODULE)
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(folder), *sys.path])
        exec(compile(TRAIN, "docs/import.md", "exec"), {})
        sys.modules.pop("mine")
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, before any import."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    yield tmp_path
    sys.modules.pop("mine", None)


def imported(*more: str) -> int:
    return main([*COMMAND.split(), *more])


def expected_loss() -> Callable[[torch.Tensor], torch.Tensor]:
    """The user's own loss on all examples as one batch, as a function of all parameters in float64."""
    import mine

    batch = [torch.cat(parts) for parts in zip(*mine.batches(), strict=True)]
    net = mine.build().double()
    shapes = {name: value.shape for name, value in net.named_parameters()}

    def loss(theta: torch.Tensor) -> torch.Tensor:
        parts = theta.split([shape.numel() for shape in shapes.values()])
        values = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return mine.loss(lambda x: torch.func.functional_call(net, values, (x.double(),)), batch)

    return loss


def test_the_page_works(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported() == 0
    output = capsys.readouterr().out
    without_numbers = lambda text: re.sub(r"\d+\.\d+", "#", text)  # noqa: E731 - losses, and the id's learning rate
    assert without_numbers(output) == without_numbers(SHOWN)
    snapshots = Snapshots(f"results/imported/runs/{RUN}/snapshots.h5")
    assert snapshots.iteration.tolist() == [0, 64, 128]
    assert snapshots.attributes["config"]["dataset"]["kind"] == "imported"
    assert snapshots.attributes["reductions"] == ["imported: trained elsewhere, cannot be replayed"]
    saved = torch.load("checkpoints/step64.pt", weights_only=True)["model"]
    point = sharpest.open_point(RUN, 64, "imported")
    assert torch.equal(point.theta, torch.cat([value.flatten() for value in saved.values()]))
    assert point.lr == 0.5
    # an independent reference: the dense Hessian of the user's own function, in float64
    theta, loss = point.theta.double(), expected_loss()
    assert float(point.loss(point.theta)) == pytest.approx(float(loss(theta)), rel=1e-6)
    dense = torch.autograd.functional.hessian(loss, theta, vectorize=True)
    assert np.allclose(point.eigenpairs(2).eigenvalues, torch.linalg.eigvalsh(dense)[-2:].flip(0), rtol=1e-5)
    with pytest.raises(StoreError, match=f"{RUN} is imported: only its checkpoints can be measured, at .* 0, 64, 128"):
        sharpest.open_point(RUN, 65, "imported")
    assert imported() == 1  # nothing is overwritten
    assert "imported.yaml exists; choose another name with --scale" in capsys.readouterr().err


def test_each_example_weighs_the_same_where_the_last_batch_is_smaller(folder: Path) -> None:
    Path("mine.py").write_text(MODULE.replace("512", "500"))
    assert imported() == 0
    point = sharpest.open_point(RUN, 64, "imported")
    assert float(point.loss(point.theta)) == pytest.approx(float(expected_loss()(point.theta.double())), rel=1e-6)


def test_what_needs_training_is_refused(folder: Path) -> None:
    assert imported() == 0
    scale = Path("config/scales/imported.yaml")
    text, config = scale.read_text(), read_keys(Path("config/config.yaml"))
    for measure in ("critical", "evaluations", "gradient_flow", "interventions", "preconditioned"):
        examples = "{loss_examples: 64, examples: 64}" if measure == "evaluations" else "{}"
        scale.write_text(text.replace("density: {}", f"{measure}: {examples}"))
        message = f"imported: only its checkpoints can be measured, and {measure} needs its training; remove {measure}"
        with pytest.raises(ConfigError, match=message):
            load_project({**config, "scale": "imported"}, Path("config"))


def test_a_changed_module_is_detected(folder: Path) -> None:
    assert imported() == 0
    Path("mine.py").write_text(MODULE.replace("tensor(classes)", "tensor(classes) * 1"))
    sys.modules.pop("mine")
    with pytest.raises(DataError, match="has changed since the import"):
        sharpest.open_point(RUN, 64, "imported")


def _break(folder: Path, what: str) -> None:
    path = folder / "checkpoints/step64.pt"
    whole = torch.load(path, weights_only=True)
    state = whole["model"]
    match what:
        case "missing":
            del state["2.bias"]
        case "unexpected":
            state["3.bias"] = torch.ones(2)
        case "shape":
            state["2.bias"] = torch.ones(3)
        case "nan":
            state["2.bias"][0] = torch.nan
        case "object":
            whole["args"] = argparse.Namespace(lr=1)
        case "two nets":
            whole["average"] = {name: value + 1 for name, value in state.items()}
        case "damaged":
            path.write_bytes(path.read_bytes()[:300])
            return
        case "one number":
            torch.save(whole, folder / "checkpoints/other64.pt")
    torch.save(whole, path)


MISTAKES = {
    "missing": "step64.pt: lacks 2.bias; pass the net",
    "unexpected": "step64.pt: has unexpected 3.bias; pass the net",
    "shape": "step64.pt: 2.bias has the shape (3,), but the net has (10,)",
    "nan": "step64.pt: 2.bias has numbers that are not finite",
    "object": "step64.pt: holds an object (argparse.Namespace) that would run code",
    "two nets": "step64.pt: holds 2 such nets",
    "damaged": "step64.pt: damaged, or not a checkpoint",
    "one number": "other64.pt and checkpoints/step64.pt both have the number 64",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(
    folder: Path, mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _break(folder, mistake)
    before = sorted(os.listdir("config/scales"))
    assert imported() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert MISTAKES[mistake] in line
    assert sorted(os.listdir("config/scales")) == before
    assert not list(Path().glob("results/**/*.h5"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("checkpoints/*.pt", "checkpoints/*.bin"), "checkpoints/*.bin: matches no file"),
        (("mine:build", "mine:bild"), "has no bild"),
        (("mine:build", "mine"), "should be module:name"),
        (("mine:build", "nowhere:build"), "fails with ModuleNotFoundError"),
        (("mine:build", "mine:batches"), "returns list, expected a torch.nn.Module"),
        (("mine:loss", "mine:torch"), "is module, expected a function"),
        (("mine:batches", "mine:build"), "batch 0 contains Linear"),
    ],
)
def test_a_wrong_name_is_one_line(
    folder: Path, change: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.replace(*change) for word in COMMAND.split()]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("model(inputs)[:, :2], labels", "--loss mine:loss: fails with IndexError: Target"),
        ("model(inputs), labels, reduction='none'", "returns (512,), expected a tensor with one element"),
    ],
)
def test_a_loss_that_fails_is_one_line(
    folder: Path, wrong: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.py").write_text(MODULE.replace("model(inputs), labels", wrong))
    assert imported() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message.replace("(512,)", "(32,)") in line


def test_batches_that_differ_each_time_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text(MODULE.replace("images / 16", "images / 16 + __import__('random').random()"))
    assert imported() == 1
    assert "have changed since the import" in capsys.readouterr().err
    assert not Path("config/scales/imported.yaml").exists()
