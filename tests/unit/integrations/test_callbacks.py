"""Monitors in the real libraries, if installed; SHARPEST_TRAINERS names a folder that contains them."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import sharpest

if folder := os.environ.get("SHARPEST_TRAINERS"):
    sys.path.append(folder)

INPUTS = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.randint(3, (64,), generator=torch.Generator().manual_seed(1))


def net() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))


def test_lightning(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    from sharpest.integrations.lightning import WatchCallback

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = net()

        def training_step(self, batch, batch_idx):
            return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.5)

    class Logger(lightning.loggers.logger.DummyLogger):
        logged: list = []  # noqa: RUF012

        def log_metrics(self, metrics, step=None):
            self.logged.append((step, metrics))

    def trained(*callbacks) -> Module:
        module = Module()
        trainer = lightning.Trainer(
            max_epochs=2, accumulate_grad_batches=2, logger=Logger(), callbacks=list(callbacks), accelerator="cpu",
            enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
            default_root_dir=tmp_path,
        )  # fmt: skip
        data = torch.utils.data.TensorDataset(INPUTS, LABELS)
        trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=16))
        return module

    loss = lambda module, batch: nn.functional.cross_entropy(module.net(batch[0]), batch[1])  # noqa: E731
    callback = WatchCallback(loss, [(INPUTS, LABELS)], every=1, quantities=("lambda_max", "critical"))
    watched, alone = trained(callback), trained()
    # four batches per epoch, two of them per update
    assert callback.monitor.values["step"].tolist() == [0, 1, 2, 3, 4]
    assert callback.monitor.last["edge"] == 4
    assert np.isfinite(callback.monitor.values["lambda_max"]).all()
    logged = [(step, metrics) for step, metrics in Logger.logged if "curvature/lambda_max" in metrics]
    assert [step for step, _ in logged] == [0, 1, 2, 3, 4]
    assert all(torch.equal(*pair) for pair in zip(watched.parameters(), alone.parameters(), strict=True))


@pytest.mark.parametrize("in_half", [False, True])
def test_transformers(tmp_path: Path, in_half: bool) -> None:
    """In mixed precision, too, where accelerate wraps the model's forward."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from sharpest.integrations.transformers import WatchCallback

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net()

        def forward(self, inputs, labels):
            logits = self.net(inputs)
            return transformers.utils.ModelOutput(loss=nn.functional.cross_entropy(logits, labels), logits=logits)

    def trained(*callbacks) -> Model:
        model = Model()
        arguments = transformers.TrainingArguments(
            output_dir=str(tmp_path), per_device_train_batch_size=16, max_steps=5, learning_rate=1e-2, use_cpu=True,
            bf16=in_half, report_to=[], disable_tqdm=True, save_strategy="no", logging_strategy="no",
        )  # fmt: skip
        data = [{"inputs": inputs, "labels": label} for inputs, label in zip(INPUTS, LABELS, strict=True)]
        transformers.Trainer(model, arguments, train_dataset=data, callbacks=list(callbacks)).train()
        return model

    probe = [{"inputs": INPUTS, "labels": LABELS}]
    callback = WatchCallback(probe, every=1, quantities=("lambda_max", "preconditioned"), path=tmp_path / "watch.h5")
    watched, alone = trained(callback), trained()
    assert callback.monitor.values["step"].tolist() == [0, 1, 2, 3, 4, 5]
    loss = lambda model, batch: nn.functional.cross_entropy(model(batch["inputs"]), batch["labels"])  # noqa: E731
    expected = sharpest.watch(net(), loss, probe).last["lambda_max"]
    assert callback.monitor.values["lambda_max"][0] == pytest.approx(expected, rel=1e-5)
    # the first measurement has no moments yet; at the last one the schedule has reached a learning rate of 0
    assert np.isfinite(callback.monitor.values["preconditioned_over_edge"][1:-1]).all()
    assert np.isnan(callback.monitor.last["edge"])
    assert (tmp_path / "watch.h5").exists()
    assert all(torch.equal(*pair) for pair in zip(watched.parameters(), alone.parameters(), strict=True))
