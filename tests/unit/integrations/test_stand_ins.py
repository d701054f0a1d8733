"""The callbacks on trainers that call them as the libraries do; the real ones: test_callbacks.py."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import h5py
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

torch.set_num_threads(1)
INPUTS = torch.randn(16, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(16) % 3


class Players(nn.Module):
    """A maker and a judge, as in a GAN."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.maker, self.judge = nn.Linear(5, 5), nn.Linear(5, 3)


def of_maker(model: nn.Module, batch: Any) -> Tensor:
    return model(batch[0]).square().mean()


def of_judge(model: nn.Module, batch: Any) -> Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


class Trainer:
    """Trains by hand with any number of optimizers, and counts the updates of all of them."""

    is_global_zero = True

    def __init__(self, optimizers: Sequence[Optimizer] = (), callbacks: Sequence[Any] = ()) -> None:
        self.optimizers, self.callbacks, self.global_step = optimizers, callbacks, 0
        self.logged: list[tuple[int, str]] = []
        self.loggers = [SimpleNamespace(log_metrics=self.log)]

    def log(self, numbers: dict[str, float], step: int) -> None:
        self.logged += [(step, name) for name in numbers if name.endswith("lambda_max")]

    def fit(self, module: nn.Module, batches: int = 100, updates: Mapping[int, int] = MappingProxyType({0: 1})) -> None:
        """In each batch, optimizer number i makes updates[i] updates."""
        self.optimizers = self.optimizers or [SGD(module.parameters(), lr=0.5)]
        for callback in self.callbacks:
            callback.on_train_start(self, module)
        for number in range(batches):
            for which, count in updates.items():
                for _ in range(count):
                    self.optimizers[which].step()
                    self.global_step += 1
            for callback in self.callbacks:
                callback.on_train_batch_end(self, module, None, None, number)
        for callback in self.callbacks:
            callback.teardown(self, module, "fit")


@pytest.fixture
def watched(stand_in: Any) -> Any:
    """The callback for Lightning."""
    stand_in("lightning", "lightning.pytorch", Callback=object, LightningModule=nn.Module, Trainer=Trainer)
    from sharpest.integrations.lightning import WatchCallback

    return WatchCallback


class HuggingFace:
    """Trains by hand, as the Trainer of transformers calls its callbacks."""

    def __init__(self, model: nn.Module, arguments: Any, train_dataset: Any, callbacks: list[Any]) -> None:
        self.model, (self.callback,) = model, callbacks
        self.optimizer: Optimizer = SGD(model.parameters(), lr=0.5)

    def train(self, first: int = 0, steps: int = 100, fails: bool = False) -> None:
        state = SimpleNamespace(is_world_process_zero=True, global_step=first)
        optimizer = AcceleratedOptimizer(self.optimizer)
        self.callback.on_train_begin(None, state, None, model=self.model, optimizer=optimizer)
        for _ in range(steps):
            self.optimizer.step()
            self.callback.on_step_end(None, state, None)
        if not fails:
            self.callback.on_train_end(None, state, None)


@pytest.fixture
def watched_by_hugging_face(stand_in: Any) -> Any:
    """The callback for transformers."""
    classes = ("TrainerCallback", "TrainerControl", "TrainerState", "TrainingArguments")
    stand_in("transformers", Trainer=HuggingFace, **dict.fromkeys(classes, object))
    from sharpest.integrations.transformers import WatchCallback

    return WatchCallback


def test_two_optimizers_have_a_callback_each(watched: Any) -> None:
    """Each with its own part, edge, key and count of steps."""
    module = Players()
    optimizers = [SGD(module.maker.parameters(), lr=0.1), SGD(module.judge.parameters(), lr=0.5)]
    probe = [(INPUTS, LABELS)]
    makers = watched(of_maker, probe, optimizer=0, module="maker", prefix="maker", every=1)
    judges = watched(
        of_judge,
        probe,
        optimizer=lambda trainer: trainer.optimizers[1],
        module=lambda module: module.judge,
        prefix="judge",
        every=1,
    )
    trainer = Trainer(optimizers, [makers, judges])
    trainer.fit(module, batches=2, updates={0: 1, 1: 3})
    assert trainer.global_step == 8
    assert makers.monitor.values["step"].tolist() == [0, 1, 2]
    assert judges.monitor.values["step"].tolist() == [0, 3, 6]
    assert (makers.monitor.last["edge"], judges.monitor.last["edge"]) == (20, 4)
    expected = [(0, "maker/lambda_max"), (0, "judge/lambda_max"), (1, "maker/lambda_max"), (3, "judge/lambda_max")]
    assert trainer.logged[:4] == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [({}, "the trainer has 2 optimizers; pass optimizer"), ({"optimizer": 2}, "optimizer 2 is not among the 2")],
)
def test_an_optimizer_must_be_chosen_among_several(watched: Any, given: dict[str, int], message: str) -> None:
    module = Players()
    optimizers = [SGD(module.maker.parameters(), lr=0.1), Adam(module.judge.parameters())]
    with pytest.raises(ValueError, match=message):
        Trainer(optimizers, [watched(of_maker, [(INPUTS, LABELS)], **given)]).fit(module, 1, {0: 1})


def test_batches_without_an_update_are_not_steps(watched: Any) -> None:
    """As with gradient accumulation."""
    module = Players()
    callback = watched(of_judge, [(INPUTS, LABELS)], module="judge", every=1)
    trainer = Trainer([SGD(module.parameters(), lr=0.5)], [callback])
    with pytest.warns(UserWarning, match="also updates 30 parameters outside of the model"):
        trainer.fit(module, batches=3, updates={0: 0})
    assert callback.monitor.values["step"].tolist() == [0]


def test_the_probe_follows_the_module(watched: Any, watched_by_hugging_face: Any) -> None:
    """Its floating-point tensors, to float64."""
    module = Players().double()
    callback = watched(of_judge, [(INPUTS, LABELS)], module="judge")
    Trainer([SGD(module.judge.parameters(), lr=0.5)], [callback]).fit(module, 1, {0: 1})
    assert callback.monitor.last["lambda_max"] > 0


@pytest.mark.parametrize("batch", [(INPUTS, LABELS), {"inputs": INPUTS}])
def test_a_single_batch_is_refused(watched: Any, watched_by_hugging_face: Any, batch: Any) -> None:
    with pytest.raises(ValueError, match="probe is a single batch"):
        watched(of_maker, batch)
    with pytest.raises(ValueError, match="probe is a single batch"):
        watched_by_hugging_face(batch)


def test_a_loader_as_probe_draws_no_random_numbers(watched: Any, watched_by_hugging_face: Any) -> None:
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(INPUTS, LABELS), batch_size=4, shuffle=True)
    state = torch.get_rng_state()
    watched(of_maker, loader)
    watched_by_hugging_face(loader)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_second_fit_goes_on(watched: Any, tmp_path: Path) -> None:
    """Of the same trainer, of a new one, and from a checkpoint."""
    module, path = Players(), tmp_path / "watch.h5"
    given = {"module": "judge", "every": 2, "path": path}
    callback = watched(of_judge, [(INPUTS, LABELS)], **given)
    optimizer = SGD(module.judge.parameters(), lr=0.5)
    trainer = Trainer([optimizer], [callback])
    trainer.fit(module, 4, {0: 1})
    trainer.fit(module, 2, {0: 1})
    Trainer([optimizer], [callback]).fit(module, 2, {0: 1})
    assert steps_in(path) == [0, 2, 4, 6, 8]
    again = watched(of_judge, [(INPUTS, LABELS)], **given)
    again.load_state_dict({**callback.state_dict(), "steps": 5})
    Trainer([optimizer], [again]).fit(module, 3, {0: 1})
    assert steps_in(path) == [0, 2, 4, 5, 6, 8]
    assert callback.state_key != watched(of_judge, [(INPUTS, LABELS)], prefix="other").state_key


def steps_in(path: Path) -> list[int]:
    with h5py.File(path) as file:
        return file["spectra/iteration"][:].tolist()


class AcceleratedOptimizer(Optimizer):
    """Accelerate's wrapper, which has no hooks of its own."""

    __module__ = "accelerate.optimizer"

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> Any:
        return self.optimizer.param_groups


class Model(nn.Linear):
    def forward(self, inputs: Tensor, labels: Tensor) -> SimpleNamespace:
        return SimpleNamespace(loss=nn.functional.cross_entropy(super().forward(inputs), labels))


def test_a_second_training_of_hugging_face_goes_on(watched_by_hugging_face: Any, tmp_path: Path) -> None:
    """Also after one that ended with an error, and from a checkpoint; the learning rate of the last line is 0."""
    model, path = Model(5, 3), tmp_path / "watch.h5"
    callback = watched_by_hugging_face([{"inputs": INPUTS, "labels": LABELS}], every=2, path=path)
    trainer = HuggingFace(model, None, None, [callback])
    trainer.train(0, 4)
    trainer.train(0, 2, fails=True)
    trainer.train(0, 2)
    assert steps_in(path) == [0, 2, 4, 6, 8]
    trainer.train(6, 1)
    assert steps_in(path) == [0, 2, 4, 6]
    trainer.optimizer.param_groups[0]["lr"] = 0.0
    trainer.train(0, 1)
    assert str(callback.monitor.last).partition("; ")[2].startswith("lr 0, no edge")


def test_the_examples_of_the_page_run(
    watched: Any, watched_by_hugging_face: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[3] / "docs/watch.md").read_text(), re.DOTALL)
    with_lightning, with_transformers = (block for block in blocks if "sharpest.integrations" in block)
    names: dict[str, Any] = {}
    exec(blocks[0].partition("\nmonitor")[0] + "\n" + with_lightning, names)
    names["trainer"].fit(names["net"])
    assert names["trainer"].logged == [(0, "curvature/lambda_max"), (100, "curvature/lambda_max")]
    capsys.readouterr()
    batches = [{"inputs": INPUTS, "labels": LABELS}]
    exec(with_transformers, names := {"model": Model(5, 3), "arguments": None, "data": None, "batches": batches})
    names["trainer"].train()
    assert re.findall(r"^(\d+) lambda_max", capsys.readouterr().out, re.MULTILINE) == ["0", "100"]
