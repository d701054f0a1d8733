"""A monitor for the Trainer of Hugging Face's transformers."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

import sharpest
from sharpest.watch.monitor import Monitor
from sharpest.watch.nets import Loss


def loss_of_output(model: Any, batch: Any) -> Tensor:
    """The loss that a transformers model computes from a batch with labels."""
    loss: Tensor = model(**batch).loss
    return loss


class WatchCallback(TrainerCallback):  # type: ignore[misc]
    """Watches the curvature of a loss while the Trainer trains; runs in the first process.

    Args:
        probe: As in ``sharpest.watch.monitor.Monitor``: batches of a data collator, on the model's device.
        loss: ``loss(model, batch)``, the mean over the batch.
        options: Further arguments of ``Monitor``, such as ``log``; the optimizer is the trainer's.

    Attributes:
        monitor: The monitor of the latest training; None before the first.
    """

    def __init__(self, probe: Iterable[Any], loss: Loss = loss_of_output, **options: Any) -> None:
        self._probe, self._loss, self._options = list(probe), loss, options
        self.monitor: Monitor | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            options = {"optimizer": _bare(kwargs["optimizer"]), "start": state.global_step, **self._options}
            self.monitor = sharpest.watch(kwargs["model"], self._loss, self._probe, **options)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.monitor is not None:
            self.monitor.step()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.monitor is not None:
            self.monitor.close()


def _bare(optimizer: Any) -> Optimizer:
    """The optimizer without the wrapper of accelerate."""
    inner: Optimizer = getattr(optimizer, "optimizer", optimizer)
    return inner
